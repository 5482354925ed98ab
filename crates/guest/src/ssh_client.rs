//! The command line of ssh for a guest.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::keys::{KNOWN_HOSTS, USER_KEY};
use crate::name::GuestName;
use crate::protocol::GuestState;
use crate::runtime_folder::RuntimeFolder;
use crate::session::Session;
use crate::tools::SSH;

/// The ssh client with the keys of a guest.
#[derive(Debug)]
pub struct SshClient {
    ssh: PathBuf,
    name: GuestName,
    folder: RuntimeFolder,
    port: u16,
}

impl SshClient {
    pub fn find(session: &Session, name: &GuestName, folder: &RuntimeFolder) -> Result<Self> {
        Ok(Self {
            ssh: session.search_path.find(SSH)?,
            name: name.clone(),
            folder: folder.clone(),
            port: GuestState::read(folder)?.ssh_port,
        })
    }

    /// Returns a command that connects to the guest as root, with options of ssh. The user's own
    /// settings have no effect.
    pub fn command(&self, options: &[&str]) -> Command {
        let file = |name| self.folder.file(name).display().to_string();
        let known_hosts = file(KNOWN_HOSTS);
        let settings = [
            format!("UserKnownHostsFile=\"{known_hosts}\""),
            "GlobalKnownHostsFile=none".into(),
            format!("HostKeyAlias={}", self.name),
            "StrictHostKeyChecking=yes".into(),
            "IdentitiesOnly=yes".into(),
            "PasswordAuthentication=no".into(),
            // An emulated guest computes slowly, and newer key exchanges need more computation.
            "ConnectTimeout=60".into(),
            "KexAlgorithms=^curve25519-sha256".into(),
            "LogLevel=ERROR".into(),
        ];
        let mut command = Command::new(&self.ssh);
        command
            .args(["-F", "none", "-i"])
            .arg(self.folder.file(USER_KEY));
        command.arg("-p").arg(self.port.to_string());
        for setting in settings {
            command.arg("-o").arg(setting);
        }
        command.args(options).arg("root@127.0.0.1");
        command
    }
}
