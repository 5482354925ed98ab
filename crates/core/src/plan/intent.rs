//! The request of the user, before it is combined with the situation of the machine.

use super::Action;
use crate::options::ChangeOptions;

/// The request of the user.
#[derive(Clone, Debug)]
pub struct Intent {
    pub action: Action,
    pub options: ChangeOptions,
    /// The Nix expressions for the values of an edit, in the order of the edit's definitions. Until
    /// they are evaluated, the definitions contain placeholders.
    pub expressions: Vec<String>,
}

impl Intent {
    pub fn new(action: Action, options: ChangeOptions) -> Self {
        Self {
            action,
            options,
            expressions: Vec::new(),
        }
    }
}
