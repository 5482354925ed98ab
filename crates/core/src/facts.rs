//! The facts about a system that its configuration defines.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The facts that activation needs before the build. A field is null if the configuration does
/// not define the fact.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Facts {
    /// The value of `networking.hostName`.
    pub host_name: Option<String>,
    /// The store path of the kernel.
    pub kernel: Option<String>,
    /// The store path of the initial RAM disk.
    pub initrd: Option<String>,
    /// The store path of the kernel modules.
    pub modules_tree: Option<String>,
    /// The store path of the firmware.
    pub firmware: Option<String>,
    /// Kernel parameters.
    pub kernel_params: Option<Vec<String>>,
    /// Kernel modules to load.
    pub kernel_modules: Option<Vec<String>>,
    /// Whether the system has switch-to-configuration.
    pub switchable: Option<bool>,
    /// The value of `system.switch.inhibitors`: names and values that must not change while the
    /// system is running.
    pub switch_inhibitors: Option<serde_json::Value>,
}
