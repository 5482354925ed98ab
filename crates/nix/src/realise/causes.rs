//! The causes of a failed build: which derivations failed themselves, and why.
//!
//! Takes the results of a build and the errors that libnix reported meanwhile. Leaves out
//! derivations that failed only because a dependency failed. Those are recognised by the inputs of
//! the derivations and by the status of the results, not by the words of libnix.

use std::time::Duration;

use crate::libnix::BuildResult;
use crate::progress::ReportedError;
use crate::wordings;

/// The status of a result if a dependency failed.
const DEPENDENCY_FAILED: &str = "DependencyFailed";

/// The cause of a failed build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cause {
    /// The derivation that failed; `None` if libnix names none.
    pub derivation: Option<String>,
    /// The message of libnix.
    pub message: String,
}

impl Cause {
    /// Makes the cause from a message that names the derivation.
    pub fn of(message: &str) -> Self {
        let message = message.trim();
        Self {
            derivation: wordings::derivation(message).map(String::from),
            message: message.into(),
        }
    }
}

/// Returns the causes, oldest first. `silence` is the setting `max-silent-time` in seconds.
/// `closure` returns the paths that a derivation depends on, including derivations.
pub(super) fn causes(
    failures: &[&BuildResult],
    reported: &[ReportedError],
    silence: Option<u64>,
    closure: impl Fn(&str) -> Vec<String>,
) -> Vec<Cause> {
    let told = reported.iter().map(|error| of_report(error, silence));
    let ended = failures.iter().map(|result| of_result(result, silence));
    let mut causes: Vec<Cause> = Vec::new();
    for cause in told.chain(ended) {
        let known = causes.iter().any(|one| match &cause.derivation {
            Some(derivation) => one.derivation.as_ref() == Some(derivation),
            None => one.message == cause.message,
        });
        if !cause.message.is_empty() && !known {
            causes.push(cause);
        }
    }
    let depends: Vec<&str> = failures
        .iter()
        .filter(|result| result.status == DEPENDENCY_FAILED)
        .map(|result| result.path.as_str())
        .collect();
    let failed: Vec<String> = causes
        .iter()
        .filter_map(|cause| cause.derivation.clone())
        .collect();
    let is_dependent = |derivation: &str| {
        let needed = || closure(derivation);
        depends.contains(&derivation)
            || failed.len() > 1
                && needed()
                    .iter()
                    .any(|one| one != derivation && failed.contains(one))
    };
    causes.retain(|cause| !cause.derivation.as_deref().is_some_and(is_dependent));
    causes
}

/// Makes the cause for an error that libnix reported.
fn of_report(error: &ReportedError, silence: Option<u64>) -> Cause {
    let Some(seconds) = wordings::timeout(&error.message) else {
        return Cause::of(&error.message);
    };
    // Since 2.34, libnix does not name the derivation. It stops the build that has run, or printed
    // nothing, for this long.
    let silent = silence == Some(seconds);
    let limit = Duration::from_secs(seconds);
    let late = error.running.iter().max_by_key(|build| match silent {
        true => build.silent,
        false => build.ran,
    });
    // The numbers are those of another process, and may be rounded.
    let late = late.filter(|build| build.ran + Duration::from_secs(1) >= limit);
    Cause {
        derivation: late.map(|build| build.derivation.clone()),
        message: timed_out(&error.message, silent),
    }
}

/// Makes the cause for a failed result.
fn of_result(result: &BuildResult, silence: Option<u64>) -> Cause {
    let message = result.message.trim();
    let silent = wordings::timeout(message).is_some_and(|seconds| silence == Some(seconds));
    Cause {
        derivation: Some(result.path.as_str().to_string()).filter(|path| path.ends_with(".drv")),
        message: timed_out(message, silent),
    }
}

fn timed_out(message: &str, silent: bool) -> String {
    match silent {
        true => wordings::silence(message),
        false => message.trim().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::libnix::StorePath;
    use crate::progress::RunningBuild;

    const TOP: &str = "/nix/store/00000000000000000000000000000000-top.drv";

    fn path(name: &str) -> String {
        format!("/nix/store/11111111111111111111111111111111-{name}.drv")
    }

    fn top(status: &str, message: &str) -> BuildResult {
        BuildResult {
            path: StorePath::parse(TOP).expect("a path"),
            success: false,
            status: status.into(),
            message: message.into(),
            outputs: Vec::new(),
        }
    }

    fn report(message: &str, running: &[(&str, u64, u64)]) -> ReportedError {
        let build = |(name, ran, silent): &(&str, u64, u64)| RunningBuild {
            derivation: path(name),
            ran: Duration::from_secs(*ran),
            silent: Duration::from_secs(*silent),
        };
        ReportedError {
            message: message.into(),
            running: running.iter().map(build).collect(),
        }
    }

    /// Returns the names of the failed derivations. `middle` depends on `low`.
    fn names(causes: &[Cause]) -> Vec<String> {
        let names = causes.iter().filter_map(|cause| cause.derivation.as_ref());
        names
            .map(|path| path[44..].trim_end_matches(".drv").to_string())
            .collect()
    }

    fn closure(derivation: &str) -> Vec<String> {
        match derivation == path("middle") {
            true => vec![path("middle"), path("low")],
            false => vec![derivation.to_string()],
        }
    }

    #[test]
    fn dependents_are_left_out_whatever_the_release_says() {
        let said = |low: &str, middle: &str, last: &str| {
            let reported = [report(low, &[]), report(middle, &[])];
            let top = top(DEPENDENCY_FAILED, last);
            names(&causes(&[&top], &reported, None, closure))
        };
        let (low, middle) = (path("low"), path("middle"));
        // 2.26
        assert_eq!(
            said(
                &format!("builder for '{low}' failed with exit code 1"),
                &format!("1 dependencies of derivation '{middle}' failed to build"),
                &format!("1 dependencies of derivation '{TOP}' failed to build"),
            ),
            ["low"]
        );
        // Since 2.29
        assert_eq!(
            said(
                &format!("Cannot build '{low}'.\nReason: builder failed with exit code 1."),
                &format!("Cannot build '{middle}'.\nReason: 1 dependency failed."),
                &format!("Cannot build '{TOP}'.\nReason: 1 dependency failed."),
            ),
            ["low"]
        );
    }

    #[test]
    fn builds_that_fail_separately_are_all_causes() {
        let reported =
            ["low", "other"].map(|name| report(&format!("builder for '{}'", path(name)), &[]));
        let top = top(DEPENDENCY_FAILED, "2 dependencies failed");
        let found = causes(&[&top], &reported, None, closure);
        assert_eq!(names(&found), ["low", "other"]);
    }

    #[test]
    fn timeout_names_the_build_that_took_too_long() {
        let running = [("low", 20, 1), ("other", 12, 12)];
        let reported = [report("timed out after 12 seconds", &running)];
        let top = top(DEPENDENCY_FAILED, "");
        let found = |silence| causes(&[&top], &reported, silence, closure);
        assert_eq!(names(&found(None)), ["low"]);
        assert_eq!(names(&found(Some(12))), ["other"]);
        assert_eq!(
            found(Some(12))[0].message,
            "timed out after 12 seconds of silence"
        );
        // Without a running build, the derivation is unknown.
        let unknown = [report("timed out after 12 seconds", &[])];
        let found = causes(&[&top], &unknown, None, closure);
        assert_eq!(names(&found), Vec::<String>::new());
        assert_eq!(found[0].message, "timed out after 12 seconds");
    }

    #[test]
    fn timeout_of_the_requested_derivation_needs_no_name() {
        let top = top("TimedOut", "timed out after 12 seconds");
        let found = causes(&[&top], &[], None, closure);
        assert_eq!(found[0].derivation.as_deref(), Some(TOP));
    }
}
