//! Many evaluations on top of one host. A template process evaluates the host once and forks
//! children, and each child evaluates one extension of the host.
//!
//! - `template.rs`: the template process
//! - `forking.rs`: the children of a template
//! - `child.rs`: the work of a child
//! - `client.rs`: a template's connection to its client
//! - `messages.rs`: the messages between a template and its client

mod child;
mod client;
mod forking;
mod messages;
mod template;

pub use child::own_memory;
pub use messages::{Ask, EvaluationEnd, EvaluationJob, JobOutcome, Sharing, TemplateMessage};
pub use template::run as template_role;
