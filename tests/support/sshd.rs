//! An SSH server on localhost for one test.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::{TestEnv, has, skip};

/// A running sshd that is killed when dropped.
pub struct Sshd {
    child: Child,
    pub port: u16,
}

impl Sshd {
    /// Starts a server, or reports the test as skipped if that is impossible here.
    pub fn start(test: &str, env: &TestEnv) -> Option<Self> {
        const PROGRAM: &str = "/usr/sbin/sshd";
        if !Path::new(PROGRAM).exists() {
            skip(test, "sshd is not installed");
            return None;
        }
        if !has(test, "ssh-keygen") {
            return None;
        }
        for key in ["host", "user"] {
            let mut keygen = env.other("ssh-keygen");
            keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]);
            keygen.arg(env.path(key));
            assert!(keygen.status().expect("ssh-keygen").success());
        }
        fs::copy(env.path("user.pub"), env.path("authorized")).expect("copied");
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("a port")
            .port();
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\nPidFile none\nPasswordAuthentication no\nPermitRootLogin yes\nSetEnv NIX_CONF_DIR={}\n",
            env.path("host").display(),
            env.path("authorized").display(),
            env.path("etc").display(),
        );
        fs::write(env.path("sshd_config"), config).expect("written");
        let mut command = match unix::unistd::geteuid().is_root() {
            // As root, sshd needs /run/sshd: create it in a private mount namespace.
            true => {
                let mut command = env.other("unshare");
                let script = "mount -t tmpfs none /run && mkdir /run/sshd && exec \"$@\"";
                command.args(["--mount", "sh", "-c", script, "sh", PROGRAM]);
                command
            }
            false => env.other(PROGRAM),
        };
        let child = command
            .args(["-D", "-e", "-f"])
            .arg(env.path("sshd_config"))
            .stderr(Stdio::null())
            .spawn()
            .expect("sshd started");
        let sshd = Self { child, port };
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if begun.elapsed() > Duration::from_secs(20) {
                skip(test, "sshd cannot be started here");
                return None;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(sshd)
    }

    /// Returns the options for ssh.
    pub fn options(env: &TestEnv) -> String {
        format!(
            "-F none -i {} -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o BatchMode=yes -o LogLevel=ERROR",
            env.path("user").display()
        )
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
