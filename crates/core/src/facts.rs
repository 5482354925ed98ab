//! What a configuration says about its system.

use serde::{Deserialize, Serialize};

/// Facts that activation needs before the build. `None` if the configuration does not define them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Facts {
    /// `networking.hostName`.
    pub host_name: Option<String>,
    /// Store path of the kernel.
    pub kernel: Option<String>,
    /// Store path of the initial RAM disk.
    pub initrd: Option<String>,
    /// Store path of the kernel modules.
    pub modules_tree: Option<String>,
    /// Store path of the firmware.
    pub firmware: Option<String>,
    /// Kernel parameters.
    pub kernel_params: Option<Vec<String>>,
    /// Kernel modules to load.
    pub kernel_modules: Option<Vec<String>>,
    /// Whether the system has switch-to-configuration.
    pub switchable: Option<bool>,
    /// `system.switch.inhibitors`: names and values that must stay the same while the system is running.
    pub switch_inhibitors: Option<serde_json::Value>,
}
