//! A list's nodes as they were at one moment, in their order, while the list changes.

use std::collections::VecDeque;

use super::node::Node;

/// Nodes that follow one another.
enum Stretch {
    /// So many nodes of the list are to be shown as they are.
    Due(usize),
    /// So many nodes of the list are not to be shown: they are new, were shown, or have changed.
    Past(usize),
    /// These are not in the list any more, or not as they were.
    Kept(VecDeque<Node>),
}

impl Stretch {
    /// How many of the list's nodes it is about.
    fn nodes(&self) -> usize {
        match self {
            Stretch::Due(count) | Stretch::Past(count) => *count,
            Stretch::Kept(_) => 0,
        }
    }
}

/// A place among the stretches.
#[derive(Clone, Copy, Default)]
struct Place {
    /// The number of a stretch.
    stretch: usize,
    /// The number of its first node in the list.
    first: usize,
}

/// What is still to be shown of a list, from its head to its tail. All of its nodes belong to some stretch.
pub(super) struct Stretches {
    stretches: VecDeque<Stretch>,
    /// Nodes of the list.
    nodes: usize,
    /// Where the last change was: the next one is often not far.
    last: Place,
}

impl Stretches {
    /// Of a list that has so many nodes, all are to be shown.
    pub(super) fn new(nodes: usize) -> Stretches {
        let stretches = (nodes > 0).then_some(Stretch::Due(nodes)).into_iter().collect();
        Stretches { stretches, nodes, last: Place::default() }
    }

    /// The stretch that a node belongs to, reached from the nearest place that is known.
    fn find(&mut self, number: usize) -> Place {
        let end = Place { stretch: self.stretches.len(), first: self.nodes };
        let from = [Place::default(), self.last, end].into_iter().min_by_key(|place| place.first.abs_diff(number));
        let mut at = from.unwrap_or_default();
        while at.first > number {
            at.stretch -= 1;
            at.first -= self.stretches[at.stretch].nodes();
        }
        while let Some(stretch) = self.stretches.get(at.stretch).filter(|stretch| at.first + stretch.nodes() <= number)
        {
            at.first += stretch.nodes();
            at.stretch += 1;
        }
        self.last = at;
        at
    }

    /// Whether a node of the list is still to be shown.
    pub(super) fn is_due(&mut self, number: usize) -> bool {
        let at = self.find(number);
        matches!(self.stretches.get(at.stretch), Some(Stretch::Due(_)))
    }

    /// Keeps a node, which is due, as it was. The one in the list is about to change.
    pub(super) fn keep_changed(&mut self, number: usize, node: Node) {
        self.keep(number, node, 1);
    }

    /// Keeps a node, which was due and is not in the list any more.
    pub(super) fn keep_removed(&mut self, number: usize, node: Node) {
        self.keep(number, node, 0);
        self.nodes -= 1;
    }

    /// Puts a node and behind it so many past ones in the place of one that is due.
    fn keep(&mut self, number: usize, node: Node, past: usize) {
        let at = self.find(number);
        let Some(stretch) = self.stretches.get_mut(at.stretch) else { return };
        let (before, behind) = (number - at.first, stretch.nodes() - (number - at.first) - 1);
        // What is there already becomes longer, where it lies beside the node.
        if before == 0 && at.stretch > 0 {
            if behind > 0 {
                *stretch = Stretch::Due(behind);
            } else {
                self.stretches.remove(at.stretch);
            }
            let mut next = at.stretch;
            match &mut self.stretches[next - 1] {
                Stretch::Kept(kept) => kept.push_back(node),
                _ => {
                    self.stretches.insert(next, Stretch::Kept([node].into()));
                    next += 1;
                }
            }
            return self.add_past(next, past);
        }
        let mut new = Vec::with_capacity(4);
        new.extend((before > 0).then_some(Stretch::Due(before)));
        new.push(Stretch::Kept([node].into()));
        new.extend((past > 0).then_some(Stretch::Past(past)));
        new.extend((behind > 0).then_some(Stretch::Due(behind)));
        let mut new = new.into_iter();
        if let Some(first) = new.next() {
            *stretch = first;
        }
        for (offset, stretch) in new.enumerate() {
            self.stretches.insert(at.stretch + 1 + offset, stretch);
        }
    }

    /// Adds past nodes in front of a stretch, which may be one of these.
    fn add_past(&mut self, stretch: usize, past: usize) {
        match self.stretches.get_mut(stretch) {
            _ if past == 0 => {}
            Some(Stretch::Past(count)) => *count += past,
            _ => self.stretches.insert(stretch, Stretch::Past(past)),
        }
    }

    /// A node that was not due is not in the list any more.
    pub(super) fn removed(&mut self, number: usize) {
        let at = self.find(number);
        self.nodes -= 1;
        match self.stretches.get_mut(at.stretch) {
            Some(Stretch::Past(1)) => drop(self.stretches.remove(at.stretch)),
            Some(Stretch::Past(count)) => *count -= 1,
            _ => {}
        }
    }

    /// A new node has got a number.
    pub(super) fn inserted(&mut self, number: usize) {
        let at = self.find(number);
        self.nodes += 1;
        let inside = number - at.first;
        if inside == 0
            && at.stretch > 0
            && let Some(Stretch::Past(count)) = self.stretches.get_mut(at.stretch - 1)
        {
            *count += 1;
            self.last.first += 1;
            return;
        }
        match self.stretches.get_mut(at.stretch) {
            Some(Stretch::Due(count)) if inside > 0 => {
                let behind = std::mem::replace(count, inside) - inside;
                self.stretches.insert(at.stretch + 1, Stretch::Past(1));
                self.stretches.insert(at.stretch + 2, Stretch::Due(behind));
            }
            _ => self.add_past(at.stretch, 1),
        }
    }

    /// Shows the next node. Returns `None` if all were shown, and otherwise the node if it was kept for this.
    pub(super) fn next(&mut self, nodes: &VecDeque<Node>, show: impl FnOnce(&Node)) -> Option<Option<Node>> {
        self.last = Place::default();
        let mut past = 0;
        // What was shown becomes one stretch.
        while let Some(Stretch::Past(count)) = self.stretches.front() {
            past += count;
            self.stretches.pop_front();
        }
        let shown = match self.stretches.front_mut() {
            None => None,
            Some(Stretch::Kept(kept)) => {
                let node = kept.pop_front();
                if let Some(node) = &node {
                    show(node);
                }
                if kept.is_empty() {
                    self.stretches.pop_front();
                }
                Some(node)
            }
            Some(Stretch::Due(count) | Stretch::Past(count)) => {
                if let Some(node) = nodes.get(past) {
                    show(node);
                }
                past += 1;
                *count -= 1;
                if *count == 0 {
                    self.stretches.pop_front();
                }
                Some(None)
            }
        };
        if past > 0 {
            self.stretches.push_front(Stretch::Past(past));
        }
        shown
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::NodeLimit;
    use super::*;

    fn node(number: usize) -> Node {
        Node::of(number.to_string().as_bytes(), NodeLimit::new(16))
    }

    fn text(node: &Node) -> Vec<u8> {
        node.get(0).map(|item| item.to_vec()).unwrap_or_default()
    }

    proptest! {
        /// Whatever happens between two steps, each node of the moment is shown once, as it was, in order.
        #[test]
        fn shows_what_was_there(
            count in 0usize..40,
            changes in prop::collection::vec((0u8..5, any::<prop::sample::Index>(), 1usize..9), 0..150),
            haste in 0usize..9,
        ) {
            let mut nodes: VecDeque<Node> = (0..count).map(node).collect();
            let mut stretches = Stretches::new(count);
            let (mut shown, mut changes) = (Vec::new(), changes.into_iter());
            loop {
                for (what, index, many) in changes.by_ref().take(haste) {
                    let number = index.index(nodes.len() + 1);
                    match what {
                        0 | 1 => {
                            nodes.insert(number, node(1000));
                            stretches.inserted(number);
                        }
                        2 if number < nodes.len() => {
                            let old = std::mem::replace(&mut nodes[number], node(2000));
                            if stretches.is_due(number) {
                                stretches.keep_changed(number, old);
                            }
                        }
                        _ => {
                            let end = nodes.len().min(number + many);
                            for old in nodes.drain(number..end) {
                                match stretches.is_due(number) {
                                    true => stretches.keep_removed(number, old),
                                    false => stretches.removed(number),
                                }
                            }
                        }
                    }
                    prop_assert_eq!(stretches.nodes, nodes.len());
                    prop_assert_eq!(stretches.stretches.iter().map(Stretch::nodes).sum::<usize>(), nodes.len());
                }
                if stretches.next(&nodes, |node| shown.push(text(node))).is_none() {
                    break;
                }
            }
            prop_assert_eq!(shown, (0..count).map(|number| text(&node(number))).collect::<Vec<_>>());
        }
    }
}
