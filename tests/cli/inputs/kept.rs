//! Cases in which a system has inputs other than those in its lock file.

use std::fs;

use super::{TestHost, reference};

/// Returns a flake with the output `text`.
fn says(text: &str) -> String {
    format!("{{ outputs = _: {{ text = \"{text}\\n\"; }}; }}")
}

/// Makes a locked host that shows the text of its input `site`, and a flake `private` with another text.
fn with_site(test: &str) -> Option<(TestHost, std::path::PathBuf)> {
    let host = TestHost::new(test)?;
    let site = host.flake("site", &says("public"));
    host.flake("private", &says("private"));
    let inputs = format!("inputs.site.url = \"{}\";", reference(&site));
    let folder = host.host("f", &inputs, "inputs.site.text");
    host.lock(&folder);
    Some((host, folder))
}

#[test]
fn overridden_input_is_kept() {
    let Some((host, folder)) = with_site("overridden_input_is_kept") else {
        return;
    };
    let private = reference(&host.env.path("private"));
    host.rebuild(&folder, &["--override-input", "site", &private]);
    assert_eq!(host.env.etc("site").as_deref(), Some("private\n"));
    host.keeps_the_base();
    // An explicit rebuild returns to the input in flake.lock, and reports the change.
    let rebuilt = host
        .env
        .run(&["rebuild", "--flake", &reference(&folder), "--host", "box"])
        .ok();
    assert!(rebuilt.stderr.contains("site at "), "{}", rebuilt.stderr);
    assert!(rebuilt.stderr.contains(", was "), "{}", rebuilt.stderr);
    assert_eq!(host.env.etc("site").as_deref(), Some("public\n"));
}

#[test]
fn inputs_of_the_lock_need_no_graph() {
    let Some((host, folder)) = with_site("inputs_of_the_lock_need_no_graph") else {
        return;
    };
    host.rebuild(&folder, &[]);
    let baked = fs::read_to_string(host.env.root("etc/runtime-modules/config.json"));
    assert!(baked.expect("baked").contains("\"inputGraph\":null"));
    host.keeps_the_base();
}

#[test]
fn input_that_moved_since_is_kept() {
    let Some((host, folder)) = with_site("input_that_moved_since_is_kept") else {
        return;
    };
    fs::remove_file(folder.join("flake.lock")).expect("removed");
    host.rebuild(&folder, &["--no-write-lock-file"]);
    assert_eq!(host.env.etc("site").as_deref(), Some("public\n"));
    host.flake("site", &says("newer"));
    host.keeps_the_base();
}

#[test]
fn input_only_in_the_store_is_kept() {
    let Some((host, folder)) = with_site("input_only_in_the_store_is_kept") else {
        return;
    };
    let private = host.env.path("private");
    host.rebuild(&folder, &["--override-input", "site", &reference(&private)]);
    for gone in ["private", "site", "f"] {
        fs::remove_dir_all(host.env.path(gone)).expect("removed");
    }
    // Also remove Nix's cache of fetched trees.
    let _ = fs::remove_dir_all(host.env.path("cache/nix"));
    host.keeps_the_base();
}

#[test]
fn follows_of_an_outer_flake_is_kept() {
    let Some((host, folder)) = with_site("follows_of_an_outer_flake_is_kept") else {
        return;
    };
    let outer = format!(
        r#"{{
  inputs.private.url = "{}";
  inputs.inner.url = "{}";
  inputs.inner.inputs.site.follows = "private";
  outputs = {{ inner, ... }}: {{ inherit (inner) nixosConfigurations; }};
}}"#,
        reference(&host.env.path("private")),
        reference(&folder)
    );
    let outer = host.flake("outer", &outer);
    host.lock(&outer);
    host.rebuild(&outer, &[]);
    assert_eq!(host.env.etc("site").as_deref(), Some("private\n"));
    host.keeps_the_base();
}

#[test]
fn two_levels_of_follows_are_kept() {
    let Some(host) = TestHost::new("two_levels_of_follows_are_kept") else {
        return;
    };
    let leaf = reference(&host.flake("leaf", &says("leaf")));
    let other = reference(&host.flake("other", &says("other")));
    let near = format!(
        r#"{{ inputs.leaf.url = "{leaf}"; outputs = inputs: {{ text = "near " + inputs.leaf.text; }}; }}"#
    );
    let near = reference(&host.flake("near", &near));
    let far = format!(
        r#"{{
  inputs.leaf.url = "{leaf}";
  inputs.near.url = "{near}";
  inputs.near.inputs.leaf.follows = "leaf";
  outputs = inputs: {{ text = "far " + inputs.near.text; }};
}}"#
    );
    let far = reference(&host.flake("far", &far));
    let inputs = format!(
        r#"inputs.leaf.url = "{leaf}";
  inputs.near.url = "{near}";
  inputs.far.url = "{far}";
  inputs.far.inputs.leaf.follows = "leaf";"#
    );
    let folder = host.host("f", &inputs, "inputs.far.text + inputs.near.text");
    host.lock(&folder);
    let outer = format!(
        r#"{{
  inputs.other.url = "{other}";
  inputs.inner.url = "{}";
  inputs.inner.inputs.leaf.follows = "other";
  outputs = {{ inner, ... }}: {{ inherit (inner) nixosConfigurations; }};
}}"#,
        reference(&folder)
    );
    let outer = host.flake("outer", &outer);
    host.lock(&outer);
    host.rebuild(&outer, &[]);
    // The flake `near` is used twice, with different inputs.
    assert_eq!(
        host.env.etc("site").as_deref(),
        Some("far near other\nnear leaf\n")
    );
    host.keeps_the_base();
}

#[test]
fn relative_inputs_are_kept() {
    let Some(host) = TestHost::new("relative_inputs_are_kept") else {
        return;
    };
    let site = reference(&host.flake("site", &says("public")));
    let private = reference(&host.flake("private", &says("private")));
    let part = format!(
        r#"{{ inputs.site.url = "{site}"; inputs.data = {{ url = "path:./data"; flake = false; }};
  outputs = inputs: {{ text = builtins.readFile (inputs.data + "/text") + inputs.site.text; }}; }}"#
    );
    let folder = host.host(
        "f",
        "inputs.part.url = \"path:./part\";",
        "inputs.part.text + toString inputs.part",
    );
    host.flake("f/part", &part);
    fs::create_dir(folder.join("part/data")).expect("a folder");
    fs::write(folder.join("part/data/text"), "data\n").expect("written");
    host.lock(&folder);
    host.rebuild(&folder, &["--override-input", "part/site", &private]);
    let site = host.env.etc("site").expect("a site");
    assert!(site.starts_with("data\nprivate\n"), "{site}");
    host.keeps_the_base();
    // Test a subflake of a flake that is itself a subflake.
    let outer = host.flake(
        "outer",
        "{ inputs.inner.url = \"path:./inner\"; outputs = { inner, ... }: { inherit (inner) nixosConfigurations; }; }",
    );
    crate::support::copy(&folder, &outer.join("inner"));
    // Nix spells the path of such a flake with a `/./`, which no reference to the tree can contain.
    let inner = outer.join("inner/flake.nix");
    let flake = fs::read_to_string(&inner).expect("a flake");
    fs::write(&inner, flake.replace(" + toString inputs.part", "")).expect("written");
    host.lock(&outer);
    host.rebuild(&outer, &["--override-input", "inner/part/site", &private]);
    host.keeps_the_base();
}

#[test]
fn input_that_follows_the_flake_is_kept() {
    let Some(host) = TestHost::new("input_that_follows_the_flake_is_kept") else {
        return;
    };
    let private = reference(&host.flake("private", &says("private")));
    let site = format!(
        r#"{{ inputs.up.url = "{private}"; inputs.word.url = "{private}"; outputs = inputs: {{ text = inputs.up.word + inputs.word.text; }}; }}"#
    );
    let site = reference(&host.flake("site", &site));
    let inputs = format!("inputs.site.url = \"{site}\";\ninputs.site.inputs.up.follows = \"\";");
    let folder = host.host("f", &inputs, "inputs.site.text");
    let flake = fs::read_to_string(folder.join("flake.nix")).expect("a flake");
    let flake = flake.replace("outputs = inputs: {", "outputs = inputs: { word = \"up \";");
    fs::write(folder.join("flake.nix"), flake).expect("written");
    host.lock(&folder);
    let newer = reference(&host.flake("newer", &says("newer")));
    host.rebuild(&folder, &["--override-input", "site/word", &newer]);
    assert_eq!(host.env.etc("site").as_deref(), Some("up newer\n"));
    host.keeps_the_base();
}
