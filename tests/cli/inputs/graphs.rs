//! Random graphs of inputs: flakes that share inputs, follow each other, contain each other, are replaced or are not
//! locked. An empty module must evaluate to the running system.

use std::fs;
use std::path::PathBuf;

use super::{TestHost, reference};
use crate::support::{PseudoRandom, soak};

/// The number of cases in a normal run of the tests.
const CASES: usize = 6;

/// The depth to which the inputs of inputs are shown. It is limited because a flake can follow
/// itself.
const DEPTH: usize = 4;

/// The outputs of a flake, which show its inputs.
const OUTPUTS: &str = r#"
  outputs = inputs: let
    names = builtins.attrNames (removeAttrs inputs [ "self" ]);
    shown = depth: name: name + "=" + (
      let input = inputs.${name}; in
      if input ? shows then input.shows (depth - 1) else builtins.readFile (input + "/text"));
  in {
    shows = depth: if depth == 0 then "." else "@ME@(" + builtins.concatStringsSep " " (map (shown depth) names) + ")";
    @MORE@
  };"#;

/// A flake in the graph.
struct Node {
    name: String,
    folder: PathBuf,
    /// The names of the direct inputs.
    inputs: Vec<String>,
}

#[test]
fn random_inputs_are_kept() {
    let test = "random_inputs_are_kept";
    let wanted = soak(200).unwrap_or(CASES);
    let mut kept = 0;
    for attempt in 0.. {
        let Some(host) = TestHost::new(test) else {
            return;
        };
        kept += usize::from(one(&host, &mut PseudoRandom::of(attempt)));
        if kept == wanted {
            break;
        }
        assert!(
            attempt < 4 * wanted as u64,
            "Nix accepted only {kept} of {attempt} cases"
        );
    }
}

/// Runs one case. Returns false if Nix refuses the flakes, as it does with cycles.
fn one(host: &TestHost, random: &mut PseudoRandom) -> bool {
    let mut nodes: Vec<Node> = Vec::new();
    for number in 0..3 + random.below(3) {
        let name = format!("n{number}");
        nodes.push(node(host, &name, &nodes, random));
    }
    let root = root(host, &nodes, random);
    let mut arguments: Vec<String> = Vec::new();
    for name in root.inputs.iter().filter(|_| random.below(2) == 0) {
        let text = format!(
            "{{ {} }}",
            OUTPUTS.replace("@ME@", "other").replace("@MORE@", "")
        );
        let other = host.flake(&format!("other-{name}"), &text);
        arguments.extend(["--override-input".into(), name.clone(), reference(&other)]);
    }
    let mut built = root.folder.clone();
    if random.below(3) == 0 {
        built = outer(host, &root, &nodes, random);
        arguments.clear();
    }
    if random.below(3) > 0 {
        // If Nix refuses to lock the flake, it also refuses the build.
        let _ = host.try_nix(&["flake", "lock", &reference(&built)]);
    } else {
        arguments.push("--no-write-lock-file".into());
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if host.try_rebuild(&built, &arguments).is_err() {
        return false;
    }
    // From now on, only the store has the original inputs.
    for folder in nodes.iter().map(|node| &node.folder).chain([&built]) {
        if random.below(2) == 0 {
            let _ = fs::remove_dir_all(folder);
        } else {
            let _ = fs::write(folder.join("text"), "changed");
        }
    }
    let base = host.env.running();
    let empty = host.env.json(&["enable", "empty", "--dry-run"]);
    let what = || {
        let folders = nodes.iter().map(|node| &node.folder);
        let texts = flake_texts(folders.chain([&root.folder, &built]));
        let baked = host.env.etc("runtime-modules/config.json");
        format!("{arguments:?}\n{texts}\n{baked:?}\n{empty:#}")
    };
    assert_eq!(
        empty["toplevel"],
        *base.to_str().expect("text"),
        "{}",
        what()
    );
    assert_eq!(empty["comparison"]["same"], true, "{}", what());
    true
}

/// Returns the text of each flake, for the message of a failure.
fn flake_texts<'a>(folders: impl Iterator<Item = &'a PathBuf>) -> String {
    let texts = folders.map(|folder| {
        let text = fs::read_to_string(folder.join("flake.nix"));
        format!("{}: {}", folder.display(), text.unwrap_or_default())
    });
    texts.collect::<Vec<_>>().join("\n")
}

/// Makes a flake that has some of the earlier ones as inputs, and sometimes a subflake.
fn node(host: &TestHost, name: &str, before: &[Node], random: &mut PseudoRandom) -> Node {
    let (mut text, mut inputs) = inputs(before, random);
    if random.below(3) == 0 {
        text += &part(host, name, before, random);
        inputs.push(format!("part-{name}"));
    }
    if random.below(4) == 0 {
        text += "inputs.data = { url = \"path:./data\"; flake = false; };\n";
        inputs.push("data".into());
    }
    let outputs = OUTPUTS.replace("@ME@", name).replace("@MORE@", "");
    let folder = host.flake(name, &format!("{{\n{text}{outputs}\n}}"));
    fs::write(folder.join("text"), format!("text of {name}")).expect("written");
    fs::create_dir_all(folder.join("data")).expect("a folder");
    fs::write(folder.join("data/text"), format!("data of {name}")).expect("written");
    if random.below(2) == 0 {
        let _ = host.try_nix(&["flake", "lock", &reference(&folder)]);
    }
    Node {
        name: name.into(),
        folder,
        inputs,
    }
}

/// Makes a flake in a folder of another flake, and returns the text that makes it an input.
fn part(host: &TestHost, whole: &str, before: &[Node], random: &mut PseudoRandom) -> String {
    let (text, _) = inputs(before, random);
    let outputs = OUTPUTS.replace("@ME@", "part").replace("@MORE@", "");
    let folder = host.flake(
        &format!("{whole}/part-{whole}"),
        &format!("{{\n{text}{outputs}\n}}"),
    );
    fs::write(folder.join("text"), "text of a part").expect("written");
    // Nix treats two subflakes of the same name as a cycle.
    format!("inputs.part-{whole}.url = \"path:./part-{whole}\";\n")
}

/// Selects some flakes as inputs. Some of their inputs follow other selected flakes, or the new
/// flake itself.
fn inputs(before: &[Node], random: &mut PseudoRandom) -> (String, Vec<String>) {
    let chosen: Vec<&Node> = before.iter().filter(|_| random.below(2) == 0).collect();
    let mut text = String::new();
    for node in &chosen {
        let name = &node.name;
        text += &format!("inputs.{name}.url = \"{}\";\n", reference(&node.folder));
        if random.below(6) == 0 {
            text += &format!("inputs.{name}.flake = false;\n");
            continue;
        }
        for input in node.inputs.iter().filter(|input| *input != "data") {
            let target = match random.below(4) {
                0 => String::new(),
                1 => chosen[random.below(chosen.len())].name.clone(),
                _ => continue,
            };
            // An input cannot follow itself.
            if target != *name {
                text += &format!("inputs.{name}.inputs.{input}.follows = \"{target}\";\n");
            }
        }
    }
    (text, chosen.iter().map(|node| node.name.clone()).collect())
}

/// Makes the flake with the host.
fn root(host: &TestHost, nodes: &[Node], random: &mut PseudoRandom) -> Node {
    let (text, inputs) = inputs(nodes, random);
    let folder = host.host("whole", &text, &format!("inputs.self.shows {DEPTH}"));
    let file = folder.join("flake.nix");
    let flake = fs::read_to_string(&file).expect("a flake");
    let hosts = flake.find("nixosConfigurations").expect("hosts");
    let more = flake[hosts..].trim_end().trim_end_matches('}').trim_end();
    let more = more.trim_end_matches("};");
    let outputs = OUTPUTS.replace("@ME@", "root").replace("@MORE@", more);
    fs::write(&file, format!("{{\n{text}{outputs}\n}}")).expect("written");
    if random.below(2) == 0 {
        let _ = host.try_nix(&["flake", "lock", &reference(&folder)]);
    }
    Node {
        name: "root".into(),
        folder,
        inputs,
    }
}

/// Makes a flake that re-exports the host, and replaces some of its inputs.
fn outer(host: &TestHost, root: &Node, nodes: &[Node], random: &mut PseudoRandom) -> PathBuf {
    let mut text = format!("inputs.root.url = \"{}\";\n", reference(&root.folder));
    for node in nodes {
        text += &format!(
            "inputs.{}.url = \"{}\";\n",
            node.name,
            reference(&node.folder)
        );
    }
    for input in &root.inputs {
        let target = &nodes[random.below(nodes.len())];
        if random.below(2) == 0 {
            text += &format!(
                "inputs.root.inputs.{input}.follows = \"{}\";\n",
                target.name
            );
        }
    }
    let outputs = "outputs = { root, ... }: { inherit (root) nixosConfigurations; };";
    host.flake("outer", &format!("{{\n{text}{outputs}\n}}"))
}
