//! Those who listen to one thing.

use std::sync::Arc;

use ahash::AHashMap;

use super::message::Message;
use crate::client::Shared;

/// Up to so many are searched one by one.
const FEW: usize = 16;

/// Clients, to be gone through quickly; adding and removing one takes the same time however many there are.
#[derive(Default)]
pub(super) struct Subscribers {
    clients: Vec<Arc<Shared>>,
    /// Where each one stands, by its id, once they are many.
    places: Option<Box<AHashMap<u64, usize>>>,
}

impl Subscribers {
    pub(super) fn len(&self) -> usize {
        self.clients.len()
    }

    /// Adds a client that is not there.
    pub(super) fn add(&mut self, client: Arc<Shared>) {
        debug_assert!(self.place(client.id).is_none());
        if self.places.is_none() && self.clients.len() == FEW {
            let places = self.clients.iter().enumerate().map(|(place, client)| (client.id, place));
            self.places = Some(Box::new(places.collect()));
        }
        if let Some(places) = &mut self.places {
            places.insert(client.id, self.clients.len());
        }
        self.clients.push(client);
    }

    /// Removes a client; the last one takes its place.
    pub(super) fn remove(&mut self, id: u64) {
        let Some(place) = self.place(id) else { return };
        self.clients.swap_remove(place);
        if let Some(places) = &mut self.places {
            places.remove(&id);
            if let Some(moved) = self.clients.get(place) {
                places.insert(moved.id, place);
            }
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Shared>> {
        self.clients.iter()
    }

    /// Puts a message into everybody's mailbox. Returns how many these are.
    pub(super) fn send(&self, message: &Message) -> usize {
        for client in &self.clients {
            client.push(|out| message.write(out));
        }
        self.clients.len()
    }

    fn place(&self, id: u64) -> Option<usize> {
        match &self.places {
            Some(places) => places.get(&id).copied(),
            None => self.clients.iter().position(|client| client.id == id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Peer;

    fn client(id: u64) -> Arc<Shared> {
        Arc::new(Shared::new(id, Peer::default(), 0, Arc::default()))
    }

    #[test]
    fn few_and_many_come_and_go() {
        let mut subscribers = Subscribers::default();
        let mut model: Vec<u64> = Vec::new();
        let mut random = 1u64;
        for step in 0..4000 {
            random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            // More come than go at first, then the other way round.
            let grows = if step < 2000 { random >> 62 != 0 } else { random >> 62 == 0 };
            if grows {
                subscribers.add(client(step));
                model.push(step);
            } else if !model.is_empty() {
                let gone = model.swap_remove((random >> 32) as usize % model.len());
                subscribers.remove(gone);
                subscribers.remove(gone);
            }
            assert_eq!(subscribers.len(), model.len());
            assert!(model.iter().all(|id| subscribers.place(*id).is_some_and(|at| subscribers.clients[at].id == *id)));
        }
    }

    #[test]
    fn everybody_gets_the_message_in_his_version_of_the_protocol() {
        let mut subscribers = Subscribers::default();
        let clients = [client(1), client(2)];
        clients[1].mailbox.switch(protocol::Resp::V3, None);
        clients.iter().for_each(|client| subscribers.add(Arc::clone(client)));
        assert_eq!(subscribers.send(&Message::new(&[b"message", b"c"], b"1", None)), 2);
        let heard = clients.map(|client| {
            let mut reply = protocol::Reply::default();
            client.mailbox.take(&mut reply);
            reply.to_vec()
        });
        assert_eq!(
            heard,
            [b"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\n1\r\n", b">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\n1\r\n"]
        );
    }
}
