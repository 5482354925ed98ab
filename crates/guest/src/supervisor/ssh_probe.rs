//! Waits until the guest's sshd answers.

use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::mpsc::Sender;
use std::time::Duration;

use super::happening::Happening;

/// The time between two attempts.
const PAUSE: Duration = Duration::from_millis(300);

/// The time that sshd may take to answer. An emulated guest is slow.
const ANSWER: Duration = Duration::from_secs(10);

/// Every SSH server begins with this text (RFC 4253, section 4.2).
const BANNER: &[u8] = b"SSH-";

/// Starts a thread that connects to sshd until it answers.
pub(super) fn start(port: u16, events: Sender<Happening>) {
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(PAUSE);
            if answers(port) {
                let _ = events.send(Happening::SshAnswered);
                return;
            }
        }
    });
}

fn answers(port: u16) -> bool {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    // QEMU accepts the connection, and closes it if the guest refuses it.
    let Ok(mut stream) = TcpStream::connect_timeout(&address, ANSWER) else {
        return false;
    };
    let mut banner = [0; 4];
    let _ = stream.set_read_timeout(Some(ANSWER));
    stream.read_exact(&mut banner).is_ok() && banner == BANNER
}
