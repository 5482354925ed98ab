//! Percent-encoding of flake references and URIs.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// The characters to escape in a path or a query: all except `/` and the unreserved characters
/// (RFC 3986, section 2.3).
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/');

/// Percent-encodes a string for use in the path or the query of a URL.
pub fn encode(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

/// Percent-decodes a string. Replaces bytes that are not UTF-8 with the replacement character.
pub fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_encoded_and_decoded() {
        assert_eq!(encode("/a b/ü~.nix"), "/a%20b/%C3%BC~.nix");
        assert_eq!(decode(&encode("/a b/ü+=%")), "/a b/ü+=%");
        assert_eq!(
            decode("path:/s?narHash=sha256-a%2Bb%2Fc%3D"),
            "path:/s?narHash=sha256-a+b/c="
        );
        assert_eq!(decode("100%"), "100%");
    }
}
