//! The names and help texts of the choices in `choice.rs`.

use clap::ValueEnum;
use clap::builder::PossibleValue;

use crate::choice::{
    Allow, CacheAction, CheckCombinations, CheckFormat, Elevate, OnFailedUnits, Preset,
    ProgressStyle, SchemaName, Shell, Verify,
};

/// Implements `ValueEnum` for the listed variants. Users cannot choose any other variant.
macro_rules! choices {
    ($type:ty { $($variant:ident => $name:expr, $help:literal;)* }) => {
        impl ValueEnum for $type {
            fn value_variants<'a>() -> &'a [Self] {
                &[$(Self::$variant),*]
            }

            fn to_possible_value(&self) -> Option<PossibleValue> {
                let (name, help) = match self {
                    $(Self::$variant => ($name, $help),)*
                    #[allow(unreachable_patterns, reason = "most types list all variants")]
                    _ => return None,
                };
                Some(PossibleValue::new(name).help(help))
            }
        }
    };
}

choices!(ProgressStyle {
    Auto => "auto", "Bars on a terminal, otherwise plain lines";
    Bars => "bars", "Progress bars";
    Plain => "plain", "One line for each step";
    Events => "events", "JSON lines (versioned)";
    Off => "off", "Only warnings, and build logs with -L";
});

choices!(Elevate {
    Auto => Elevate::Auto.name(), "Use the first available of sudo, run0 and doas, if necessary";
    Sudo => Elevate::Sudo.name(), "Use sudo";
    Run0 => Elevate::Run0.name(), "Use run0";
    Doas => Elevate::Doas.name(), "Use doas";
    None => Elevate::None.name(), "Never become root";
});

choices!(OnFailedUnits {
    Rollback => "rollback", "Activate the previous system again";
    Keep => "keep", "Keep the change";
});

choices!(Verify {
    Background => "background", "After the change, in the background";
    Wait => "wait", "Before the change";
});

choices!(Allow {
    WrongHost => Allow::WrongHost.name(), "Activate a system built for another host";
    Inhibitors => Allow::Inhibitors.name(), "Continue even if switch inhibitors would change";
    PreSwitchChecks => Allow::PreSwitchChecks.name(), "Skip all of NixOS's own pre-switch checks";
    Space => Allow::Space.name(), "Continue without enough free space";
    BaseDiffers => Allow::BaseDiffers.name(), "Continue even if the pinned source evaluates to a different base";
});

choices!(SchemaName {
    Output => "output", "The documents of --json";
    Event => "event", "The lines of --progress events";
    Bench => "bench", "The results of benchmarks";
    Config => "config", "/etc/runtime-modules/config.json";
});

choices!(Shell {
    Bash => "bash", "Bash";
    Zsh => "zsh", "Zsh";
    Fish => "fish", "Fish";
    Nushell => "nushell", "Nushell";
});

choices!(CacheAction {
    List => "list", "List the results [default]";
    Stats => "stats", "Show the number and size of the results";
    Clear => "clear", "Remove the results, so that their outputs can be garbage-collected";
});

choices!(CheckCombinations {
    Together => "together", "All modules that evaluate successfully on their own, combined";
    Pairs => "pairs", "The same, plus each pair of these modules";
});

choices!(CheckFormat {
    Table => "table", "A table, printed as results arrive";
    Jsonl => "jsonl", "One JSON document per line, printed as results arrive";
    Junit => "junit", "JUnit XML";
    Github => "github", "GitHub annotations, printed as results arrive";
    Sarif => "sarif", "SARIF 2.1.0";
    Markdown => "markdown", "A Markdown summary";
});

choices!(Preset {
    Jenkins => "jenkins", "The unit and settings of Jenkins";
    Grafana => "grafana", "The unit and settings of Grafana";
    Gotosocial => "gotosocial", "The unit and settings of GoToSocial";
    Generated => "generated", "sysctl, fileSystems and sshd: the settings, and the files generated from them";
});
