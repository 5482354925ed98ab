//! The declaration of error messages. A variant of an enum that [`messages!`](crate::messages!)
//! declares contains a message, its hints and its entry in `docs/errors.md`.

use std::borrow::Cow;
use std::fmt;

use super::{Failed, Failure};

/// An enum of error messages. Each variant has a field for each variable part of its message.
pub trait Message: Sized {
    /// The rows of all variants, in order.
    const ROWS: &'static [MessageRow];

    /// Returns the error.
    fn failed(self) -> Failed;

    /// Returns the message as a string, for use in another message.
    fn text(self) -> String {
        self.failed().message
    }

    /// Returns the error with one or more lines of details.
    fn detail(self, detail: impl AsRef<str>) -> Failed {
        self.failed().detail(detail)
    }

    /// Returns the error with a hint that depends on more than the fields of the message.
    fn hint(self, hint: impl Into<String>) -> Failed {
        self.failed().hint(hint)
    }
}

/// The row of a message in `docs/errors.md`.
#[derive(Debug)]
pub struct MessageRow {
    /// The kind, which determines the exit code.
    pub kind: Failure,
    /// The text of the message, with the names of its fields in braces.
    pub text: &'static str,
    /// The explanation of the message.
    pub means: &'static str,
    /// The advice for the user.
    pub next: &'static str,
}

impl MessageRow {
    /// Returns the message text with `…` in place of each field or sequence of fields.
    pub fn pattern(&self) -> String {
        let mut pattern = String::new();
        let mut rest = self.text;
        while let Some((before, field)) = rest.split_once('{') {
            pattern.push_str(before);
            if !pattern.ends_with('…') {
                pattern.push('…');
            }
            rest = field.split_once('}').map_or("", |(_, after)| after);
        }
        pattern + rest
    }
}

/// The purpose of a command in a message that refuses it, such as `enable web` in
/// `cannot enable web: another transaction is running`.
#[derive(Clone, Debug)]
pub struct Purpose(String);

impl<'a, T: Into<Cow<'a, str>>> From<T> for Purpose {
    /// Makes a purpose from the description of a transaction.
    fn from(description: T) -> Self {
        let description = description.into();
        Self(match description.strip_prefix("rollback") {
            Some(rest) => format!("roll back{rest}"),
            None => description.into_owned(),
        })
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Declares an enum of error messages. Each variant specifies, in this order:
///
/// - its fields in braces, if it has any;
/// - `kind`: the [`Failure`];
/// - `text`: the message, as a format string with the fields of the variant;
/// - `detail` and `hint`: any number of format strings for the lines below the message;
/// - `means` and `next`: the paragraph of the message in `docs/errors.md`.
#[macro_export]
macro_rules! messages {
    ($(#[$doc:meta])* pub enum $name:ident { $($variants:tt)+ }) => {
        $crate::messages! { @collect [$(#[$doc])* $name] [] $($variants)+ }
    };

    // Puts the fields of each variant into parentheses, because a macro cannot distinguish optional
    // fields in braces from the other braces.
    (
        @collect $head:tt [$($collected:tt)*]
        $variant:ident { kind: $kind:ident, text: $($rest:tt)+ }
        $($others:tt)*
    ) => {
        $crate::messages! {
            @collect $head
            [$($collected)* $variant () { kind: $kind, text: $($rest)+ }]
            $($others)*
        }
    };
    (
        @collect $head:tt [$($collected:tt)*]
        $variant:ident { $($fields:tt)+ } { $($parts:tt)+ }
        $($others:tt)*
    ) => {
        $crate::messages! {
            @collect $head
            [$($collected)* $variant ({ $($fields)+ }) { $($parts)+ }]
            $($others)*
        }
    };

    (
        @collect [$(#[$doc:meta])* $name:ident]
        [$(
            $variant:ident ($({ $($field:ident: $type:ty),+ $(,)? })?) {
                kind: $kind:ident,
                text: $text:literal,
                $(detail: $detail:literal,)*
                $(hint: $hint:literal,)*
                means: $means:literal,
                next: $next:literal,
            }
        )+]
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub enum $name {
            $($variant $({ $($field: $type),+ })?),+
        }

        impl $crate::error::Message for $name {
            const ROWS: &'static [$crate::error::MessageRow] = &[
                $($crate::error::MessageRow {
                    kind: $crate::error::Failure::$kind,
                    text: $text,
                    means: $means,
                    next: $next,
                }),+
            ];

            fn failed(self) -> $crate::error::Failed {
                match self {
                    $(Self::$variant $({ $($field),+ })? => $crate::error::Failed {
                        failure: $crate::error::Failure::$kind,
                        message: format!($text),
                        details: vec![$(format!($detail)),*],
                        hints: vec![$(format!($hint)),*],
                        places: Vec::new(),
                        by_configuration: false,
                    }),+
                }
            }
        }

        impl From<$name> for $crate::error::Failed {
            fn from(message: $name) -> Self {
                $crate::error::Message::failed(message)
            }
        }

        impl From<$name> for ::anyhow::Error {
            fn from(message: $name) -> Self {
                $crate::error::Failed::from(message).into()
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ellipsis_replaces_fields_in_a_row() {
        let row = MessageRow {
            kind: Failure::Usage,
            text: "cannot set {option}: the character U+{found:04X}{place} is refused",
            means: "",
            next: "",
        };
        assert_eq!(row.pattern(), "cannot set …: the character U+… is refused");
    }
}
