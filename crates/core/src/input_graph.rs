//! Creates a lock file from the inputs with which a system was built.
//!
//! Takes the graph of inputs that the NixOS module baked in. Returns the content of a lock file
//! that gives each flake the same inputs as in the original build. Does not read files or the
//! store.

use std::collections::{BTreeMap, VecDeque};

use anyhow::{Context as _, Result, bail};
use serde_json::{Map, Value, json};

use crate::record::{InputNode, Pin};
use crate::reference::{directory, in_store};

/// The maximum number of inputs.
const MOST: usize = 10_000;

/// The shortest path to an input: the names that lead from the flake to the input, and the input's
/// parent node.
struct InputPath {
    names: Vec<String>,
    parent: usize,
}

/// Returns the lock file for the inputs of a pin, or `None` if the tree's own lock file names the
/// same inputs.
pub fn graph_lock(pin: &Pin) -> Result<Option<String>> {
    if pin.graph.is_empty() {
        return Ok(None);
    }
    Graph::new(pin)?.lock().map(Some)
}

/// Returns the inputs of a pin that are outside the flake's own tree: the shortest path to each
/// input, and its locked reference.
pub fn graph_inputs(pin: &Pin) -> Result<Vec<(String, String)>> {
    if pin.graph.is_empty() {
        return Ok(Vec::new());
    }
    let graph = Graph::new(pin)?;
    let mut inputs = Vec::new();
    for (index, reached) in &graph.reached {
        let (tree, below) = graph.place(*index)?;
        if tree != pin.source && !reached.names.is_empty() {
            let attributes = graph.absolute(*index, tree, below)?;
            inputs.push((
                reached.names.join("/"),
                in_store(tree, below, &attributes, true),
            ));
        }
    }
    Ok(inputs)
}

/// Returns the commit hash of the input with a path such as `a/b`, or its NAR hash if it has no
/// commit hash.
pub fn graph_revision<'a>(pin: &'a Pin, name: &str) -> Option<&'a str> {
    let mut node = pin.graph.first()?;
    for name in name.split('/') {
        node = pin.graph.get(*node.inputs.get(name)?)?;
    }
    node.rev.as_deref().or(node.nar_hash.as_deref())
}

/// A graph of inputs, with data derived from it.
struct Graph<'a> {
    nodes: &'a [InputNode],
    /// The absolute path of each node's source in the store.
    paths: Vec<String>,
    /// The store directory.
    store: &'a str,
    /// The shortest path to each node, including the flake itself.
    reached: BTreeMap<usize, InputPath>,
}

impl<'a> Graph<'a> {
    fn new(pin: &'a Pin) -> Result<Self> {
        let nodes = pin.graph.as_slice();
        if nodes.len() > MOST {
            bail!("the graph has more than {MOST} inputs");
        }
        let (store, _) = pin.source.rsplit_once('/').unwrap_or_default();
        let own = match directory(&pin.locked) {
            "" => pin.source.clone(),
            below => format!("{}/{below}", pin.source),
        };
        let whole = |node: &InputNode| match node.path.strip_prefix('.') {
            Some(rest) => format!("{own}{rest}"),
            None => node.path.clone(),
        };
        let paths = nodes.iter().map(whole).collect();
        let reached = reach(nodes)?;
        Ok(Self {
            nodes,
            paths,
            store,
            reached,
        })
    }

    fn lock(&self) -> Result<String> {
        let mut entries = Map::new();
        for (index, reached) in &self.reached {
            let mut entry = Map::new();
            if *index > 0 {
                let (locked, parent) = self.locked(*index, reached)?;
                // Nix does not lock the inputs again, so the original reference does not matter.
                entry.insert("original".into(), locked.clone());
                entry.insert("locked".into(), locked);
                if let Some(parent) = parent {
                    entry.insert("parent".into(), json!(parent));
                }
                if !self.nodes[*index].flake {
                    entry.insert("flake".into(), json!(false));
                }
            }
            entry.insert("inputs".into(), self.inputs(*index, reached));
            entries.insert(key(*index), Value::Object(entry));
        }
        let lock = json!({ "version": 7, "root": key(0), "nodes": entries });
        serde_json::to_string(&lock).context("cannot write the lock file")
    }

    /// Returns the inputs of a node. If the shortest path to an input leads through this node, the
    /// input is written as its key, otherwise as the path that it follows.
    fn inputs(&self, index: usize, reached: &InputPath) -> Value {
        let edge = |(name, child): (&String, &usize)| {
            let names = &self.reached[child].names;
            let first = names.split_last() == Some((name, reached.names.as_slice()));
            let edge = if first {
                json!(key(*child))
            } else {
                json!(names)
            };
            (name.clone(), edge)
        };
        Value::Object(self.nodes[index].inputs.iter().map(edge).collect())
    }

    /// Returns the locked reference of a node. If the reference is relative, also returns the path
    /// to the node that it is relative to.
    fn locked(&self, index: usize, reached: &InputPath) -> Result<(Value, Option<&[String]>)> {
        let (tree, below) = self.place(index)?;
        let is_part = |parent: &usize| {
            let (child, parent) = (&self.nodes[index], &self.nodes[*parent]);
            let facts =
                |node: &InputNode| (node.nar_hash.clone(), node.rev.clone(), node.last_modified);
            facts(child) == facts(parent)
        };
        if !below.is_empty() {
            for parent in [reached.parent, 0] {
                let rest = self.paths[index].strip_prefix(&self.paths[parent]);
                let rest = rest.and_then(|rest| rest.strip_prefix('/'));
                if let Some(rest) = rest.filter(|_| is_part(&parent)) {
                    let locked = json!({ "type": "path", "path": rest });
                    return Ok((locked, Some(&self.reached[&parent].names)));
                }
            }
            if !self.nodes[index].flake {
                bail!(
                    "the non-flake input {} is a subdirectory of a store path",
                    reached.names.join("/")
                );
            }
        }
        Ok((self.absolute(index, tree, below)?, None))
    }

    /// Returns the store path of the tree that contains a node, and the node's path in this tree.
    fn place(&self, index: usize) -> Result<(&str, &str)> {
        let path = &self.paths[index];
        let name = path
            .strip_prefix(self.store)
            .and_then(|rest| rest.strip_prefix('/'))
            .with_context(|| format!("{path} is not in the store"))?;
        let length = self.store.len() + 1 + name.find('/').unwrap_or(name.len());
        Ok((&path[..length], path[length..].trim_start_matches('/')))
    }

    /// Returns the locked reference of a node, with the hash of its tree.
    fn absolute(&self, index: usize, tree: &str, below: &str) -> Result<Value> {
        let node = &self.nodes[index];
        let hash = node.nar_hash.as_ref();
        let hash = hash.with_context(|| format!("the hash of {tree} is unknown"))?;
        let mut locked = json!({ "type": "path", "path": tree, "narHash": hash });
        for (name, value) in [
            ("rev", json!(node.rev)),
            ("revCount", json!(node.rev_count)),
            ("lastModified", json!(node.last_modified)),
            ("dir", json!(Some(below).filter(|below| !below.is_empty()))),
        ] {
            if !value.is_null() {
                locked[name] = value;
            }
        }
        Ok(locked)
    }
}

/// Returns the key of a node in the lock file.
fn key(index: usize) -> String {
    match index {
        0 => "root".into(),
        index => format!("input-{index}"),
    }
}

/// Finds the shortest path from the first node to each node.
fn reach(nodes: &[InputNode]) -> Result<BTreeMap<usize, InputPath>> {
    let start = InputPath {
        names: Vec::new(),
        parent: 0,
    };
    let mut reached = BTreeMap::from([(0, start)]);
    let mut queue = VecDeque::from([0]);
    while let Some(parent) = queue.pop_front() {
        for (name, child) in &nodes[parent].inputs {
            if *child >= nodes.len() {
                bail!("the graph has no input with index {child}");
            }
            if !reached.contains_key(child) {
                let mut names = reached[&parent].names.clone();
                names.push(name.clone());
                reached.insert(*child, InputPath { names, parent });
                queue.push_back(*child);
            }
        }
    }
    Ok(reached)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(path: &str, hash: &str, inputs: &[(&str, usize)]) -> InputNode {
        let pairs = inputs.iter().map(|(name, index)| ((*name).into(), *index));
        InputNode {
            path: path.into(),
            flake: true,
            nar_hash: Some(hash.into()).filter(|hash: &String| !hash.is_empty()),
            inputs: pairs.collect(),
            ..InputNode::default()
        }
    }

    fn pin(graph: Vec<InputNode>) -> Pin {
        Pin {
            locked: "path:/nix/store/r-source?dir=host&narHash=sha256-r".into(),
            source: "/nix/store/r-source".into(),
            graph,
            ..Pin::default()
        }
    }

    fn lock(graph: Vec<InputNode>) -> Value {
        let text = graph_lock(&pin(graph)).expect("a lock").expect("inputs");
        serde_json::from_str(&text).expect("JSON")
    }

    #[test]
    fn shared_inputs_follow_the_shortest_path() {
        let lock = lock(vec![
            node(".", "r", &[("a", 1), ("n", 2)]),
            node("/nix/store/a-source", "a", &[("deep", 2), ("up", 0)]),
            node("/nix/store/n-source/dir", "n", &[]),
        ]);
        let nodes = &lock["nodes"];
        assert_eq!(
            nodes["root"]["inputs"],
            json!({"a": "input-1", "n": "input-2"})
        );
        assert_eq!(nodes["input-1"]["inputs"], json!({"deep": ["n"], "up": []}));
        assert_eq!(
            nodes["input-2"]["locked"],
            json!({"type": "path", "path": "/nix/store/n-source", "narHash": "n", "dir": "dir"})
        );
    }

    #[test]
    fn relative_inputs_stay_in_their_parents_tree() {
        let lock = lock(vec![
            node(".", "r", &[("a", 1), ("part", 3)]),
            node("/nix/store/a-source", "a", &[("below", 2)]),
            node("/nix/store/a-source/./below", "a", &[]),
            node("./part", "r", &[]),
        ]);
        let nodes = &lock["nodes"];
        let locked = |key: &str| &nodes[key]["locked"];
        assert_eq!(
            *locked("input-2"),
            json!({"type": "path", "path": "./below"})
        );
        assert_eq!(nodes["input-2"]["parent"], json!(["a"]));
        assert_eq!(*locked("input-3"), json!({"type": "path", "path": "part"}));
        assert_eq!(nodes["input-3"]["parent"], json!([]));
    }

    #[test]
    fn damaged_graph_is_an_error() {
        let outside = vec![node(".", "r", &[("a", 7)])];
        let nowhere = vec![node(".", "r", &[("a", 1)]), node("/home/a", "a", &[])];
        let nameless = vec![node(".", "r", &[("a", 1)]), node("/nix/store/a", "", &[])];
        for graph in [outside, nowhere, nameless] {
            assert!(graph_lock(&pin(graph)).is_err());
        }
        assert_eq!(graph_lock(&pin(Vec::new())).expect("none"), None);
    }

    #[test]
    fn inputs_are_named_by_their_path() {
        let inputs = graph_inputs(&pin(vec![
            node(".", "r", &[("a", 1), ("part", 3)]),
            node("/nix/store/a-source", "a", &[("b", 2)]),
            node("/nix/store/b-source", "b", &[]),
            node("./part", "r", &[]),
        ]));
        let inputs = inputs.expect("inputs");
        assert_eq!(
            inputs,
            [
                ("a".into(), "path:/nix/store/a-source?narHash=a".to_string()),
                (
                    "a/b".into(),
                    "path:/nix/store/b-source?narHash=b".to_string()
                ),
            ]
        );
    }
}
