//! The most that can flow through a graph of attention, from a position after the last layer to each input.

/// How much can flow from every position after the last layer to every input, `[query][key]`, each row divided by its
/// sum. `layers` are the capacities of each layer's edges, `[layer][query][key]`.
pub(super) fn of(layers: &[Vec<Vec<f64>>]) -> Vec<Vec<f64>> {
    let network = Network::of(layers);
    let pos = layers.first().map_or(0, Vec::len);
    let row = |query: usize| {
        let from = layers.len() * pos + query;
        let flows: Vec<f64> = (0..pos).map(|key| network.clone().most(from, key)).collect();
        let sum: f64 = flows.iter().sum();
        flows.into_iter().map(|flow| flow / sum).collect()
    };
    (0..pos).map(row).collect()
}

/// Below this, rounding is all that is left of an edge.
const FULL: f64 = 1e-12;

/// A graph with capacities. Node `layer * pos + position` is a position before a layer.
#[derive(Clone)]
struct Network {
    /// Where each edge leads and what still fits through it. Edge `i ^ 1` is edge `i` backwards.
    edges: Vec<(usize, f64)>,
    /// The edges out of each node.
    out: Vec<Vec<usize>>,
}

impl Network {
    fn of(layers: &[Vec<Vec<f64>>]) -> Self {
        let pos = layers.first().map_or(0, Vec::len);
        let mut network = Self { edges: Vec::new(), out: vec![Vec::new(); (layers.len() + 1) * pos] };
        for (layer, rows) in layers.iter().enumerate() {
            for (query, row) in rows.iter().enumerate() {
                for (key, capacity) in row.iter().enumerate().filter(|(_, capacity)| **capacity > FULL) {
                    network.join((layer + 1) * pos + query, layer * pos + key, *capacity);
                }
            }
        }
        network
    }

    fn join(&mut self, from: usize, to: usize, capacity: f64) {
        for (from, to, room) in [(from, to, capacity), (to, from, 0.0)] {
            self.out[from].push(self.edges.len());
            self.edges.push((to, room));
        }
    }

    /// The maximum flow between two nodes (Dinic 1970): shortest ways first, as long as there is one.
    fn most(mut self, from: usize, to: usize) -> f64 {
        let mut flow = 0.0;
        loop {
            let depth = self.depths(from);
            if depth[to] == usize::MAX {
                return flow;
            }
            let mut next = vec![0; self.out.len()];
            loop {
                let pushed = self.push(from, to, f64::INFINITY, &depth, &mut next);
                if pushed <= FULL {
                    break;
                }
                flow += pushed;
            }
        }
    }

    /// The length of the shortest way to each node.
    fn depths(&self, from: usize) -> Vec<usize> {
        let mut depth = vec![usize::MAX; self.out.len()];
        depth[from] = 0;
        let mut queue = std::collections::VecDeque::from([from]);
        while let Some(node) = queue.pop_front() {
            for (to, room) in self.out[node].iter().map(|edge| self.edges[*edge]) {
                if room > FULL && depth[to] == usize::MAX {
                    depth[to] = depth[node] + 1;
                    queue.push_back(to);
                }
            }
        }
        depth
    }

    /// Sends what fits along one shortest way. `next` is the first edge of each node that may still lead on.
    fn push(&mut self, node: usize, to: usize, most: f64, depth: &[usize], next: &mut [usize]) -> f64 {
        if node == to {
            return most;
        }
        while let Some(&edge) = self.out[node].get(next[node]) {
            let (along, room) = self.edges[edge];
            if room > FULL && depth[along] == depth[node] + 1 {
                let pushed = self.push(along, to, most.min(room), depth, next);
                if pushed > FULL {
                    self.edges[edge].1 -= pushed;
                    self.edges[edge ^ 1].1 += pushed;
                    return pushed;
                }
            }
            next[node] += 1;
        }
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::testing::close;
    use serde::Deserialize;

    /// Through two layers, the flow over each position between is the smaller of its two edges.
    #[test]
    fn by_hand() {
        let first = vec![vec![1.0, 0.0, 0.0], vec![0.4, 0.6, 0.0], vec![0.1, 0.2, 0.7]];
        let second = vec![vec![1.0, 0.0, 0.0], vec![0.3, 0.7, 0.0], vec![0.5, 0.3, 0.2]];
        let one = of(std::slice::from_ref(&first));
        one.concat().iter().zip(first.concat()).for_each(|(ours, edge)| close(*ours, edge, 1e-12));
        let two = of(&[first.clone(), second.clone()]);
        for query in 0..3 {
            let flow = |key: usize| (0..3).map(|at| second[query][at].min(first[at][key])).sum::<f64>();
            let sum: f64 = (0..3).map(flow).sum();
            (0..3).for_each(|key| close(two[query][key], flow(key) / sum, 1e-12));
        }
    }

    #[derive(Deserialize)]
    struct Reference {
        layers: Vec<Vec<Vec<f64>>>,
        flow: Vec<Vec<f64>>,
    }

    /// `tests/fixtures/attention_flow/make_flow.py` asks networkx.
    #[test]
    fn deeper_flows_are_those_of_networkx() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/attention_flow/networkx.json");
        let cases: Vec<Reference> = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        for Reference { layers, flow } in cases {
            of(&layers).concat().iter().zip(flow.concat()).for_each(|(ours, theirs)| close(*ours, theirs, 1e-9));
        }
    }
}
