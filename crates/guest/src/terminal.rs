//! The terminal of the user as the console of a guest: raw mode, and the key that leaves it.

use std::io::{IsTerminal as _, Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::thread::JoinHandle;

use anyhow::{Context as _, Result};
use unix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};

/// Ctrl-A, after which X leaves the console.
const ESCAPE: u8 = 0x01;

/// Raw mode of the terminal. Dropping it restores the terminal.
pub struct RawMode(Termios);

impl RawMode {
    /// Sets raw mode. Returns `None` if stdin is not a terminal.
    pub fn set() -> Result<Option<Self>> {
        let stdin = std::io::stdin();
        if !stdin.is_terminal() {
            return Ok(None);
        }
        let before = tcgetattr(&stdin).context("cannot read the settings of the terminal")?;
        let mut raw = before.clone();
        cfmakeraw(&mut raw);
        tcsetattr(&stdin, SetArg::TCSANOW, &raw).context("cannot set the terminal to raw mode")?;
        Ok(Some(Self(before)))
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        let _ = tcsetattr(std::io::stdin(), SetArg::TCSANOW, &self.0);
    }
}

/// Copies the console's output to stdout until the guest ends.
pub fn copy_output(mut console: UnixStream) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = console.read(&mut buffer) {
            let mut out = std::io::stdout().lock();
            if out
                .write_all(&buffer[..length])
                .and_then(|()| out.flush())
                .is_err()
            {
                return;
            }
        }
    })
}

/// Copies stdin to the console. Calls `leave` when the user types Ctrl-A X.
pub fn copy_input(mut console: UnixStream, leave: impl FnOnce() + Send + 'static) {
    std::thread::spawn(move || {
        let mut keys = Keys::default();
        let mut buffer = [0; 256];
        while let Ok(length @ 1..) = std::io::stdin().read(&mut buffer) {
            let (bytes, leaves) = keys.typed(&buffer[..length]);
            if console.write_all(&bytes).is_err() {
                return;
            }
            if leaves {
                let _ = console.shutdown(Shutdown::Both);
                leave();
                return;
            }
        }
    });
}

/// Finds Ctrl-A X in the typed keys.
#[derive(Debug, Default)]
struct Keys {
    escaped: bool,
}

impl Keys {
    /// Returns the bytes for the guest, and whether the user wants to leave.
    fn typed(&mut self, bytes: &[u8]) -> (Vec<u8>, bool) {
        let mut passed = Vec::new();
        for byte in bytes {
            match (std::mem::take(&mut self.escaped), byte) {
                (true, b'x' | b'X') => return (passed, true),
                // A second Ctrl-A sends one to the guest.
                (true, &ESCAPE) => passed.push(ESCAPE),
                (true, other) => passed.extend([ESCAPE, *other]),
                (false, &ESCAPE) => self.escaped = true,
                (false, other) => passed.push(*other),
            }
        }
        (passed, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ctrl_a_x_leaves_the_console() {
        let mut keys = Keys::default();
        assert_eq!(keys.typed(b"ls\r"), (b"ls\r".to_vec(), false));
        assert_eq!(keys.typed(b"\x01"), (b"".to_vec(), false));
        assert_eq!(keys.typed(b"a"), (b"\x01a".to_vec(), false));
        assert_eq!(keys.typed(b"\x01\x01"), (b"\x01".to_vec(), false));
        assert_eq!(keys.typed(b"b\x01xc"), (b"b".to_vec(), true));
    }
}
