//! How a client is sent something that it did not ask for at that moment: by anybody, from any thread.
//!
//! What is pushed to a client waits in its mailbox until the client's own connection takes it. A connection is woken
//! once for all that waits, and the worker that it belongs to once for all of its connections that were woken since it
//! last looked: waking another thread costs a system call.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::task::{Poll, Waker};

use parking_lot::Mutex;
use protocol::{Reply, Resp};

/// Bytes of memory that hold news of all clients, as far as their connections have not taken them.
static NEWS: AtomicUsize = AtomicUsize::new(0);

/// Memory that waits to be sent as news of keys that change. It must not make keys go: every one of these would be
/// news to all who have read it, which takes more memory than it gives back. Once a connection has taken its news they
/// count as all that its client does not read.
pub fn memory_of_news() -> usize {
    NEWS.load(Relaxed)
}

/// What others have for one client, in the version of the protocol that it speaks.
#[derive(Debug, Default)]
pub struct Mailbox {
    queue: Mutex<Queue>,
    /// Looked at without the lock.
    full: AtomicBool,
}

#[derive(Debug, Default)]
struct Queue {
    mail: Reply,
    /// Bytes of memory that it has taken for news.
    news: usize,
    /// Whether the connection was told of mail and has not looked since.
    announced: bool,
}

impl Queue {
    /// What waits is about to be taken.
    fn open(&mut self) -> &mut Reply {
        self.announced = false;
        if self.news > 0 {
            NEWS.fetch_sub(std::mem::take(&mut self.news), Relaxed);
        }
        &mut self.mail
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.open();
    }
}

impl Mailbox {
    /// Puts something behind what waits. Tells whether the connection is to be woken.
    pub fn put(&self, write: impl FnOnce(&mut Reply)) -> bool {
        let mut queue = self.queue.lock();
        write(&mut queue.mail);
        self.announce(&mut queue)
    }

    /// The same with news of keys ([`memory_of_news`]).
    pub fn put_news(&self, write: impl FnOnce(&mut Reply)) -> bool {
        let mut queue = self.queue.lock();
        let before = queue.mail.memory();
        write(&mut queue.mail);
        let taken = queue.mail.memory().saturating_sub(before);
        queue.news += taken;
        NEWS.fetch_add(taken, Relaxed);
        self.announce(&mut queue)
    }

    /// Tells whether there is mail of which the connection has not been told since it last looked.
    fn announce(&self, queue: &mut Queue) -> bool {
        if queue.mail.is_empty() {
            return false;
        }
        self.full.store(true, Relaxed);
        !std::mem::replace(&mut queue.announced, true)
    }

    #[inline]
    pub fn is_full(&self) -> bool {
        self.full.load(Relaxed)
    }

    /// Moves what waits behind what the client is being sent. Tells whether there were news among it, the memory of
    /// which is to be given back when they have been sent.
    pub fn take(&self, into: &mut Reply) -> bool {
        let mut queue = self.queue.lock();
        let news = queue.news > 0;
        self.full.store(false, Relaxed);
        into.append(queue.open());
        news
    }

    /// Takes what waits, to be put in front of something else.
    pub fn take_out(&self) -> Option<Reply> {
        if !self.is_full() {
            return None;
        }
        let mut queue = self.queue.lock();
        self.full.store(false, Relaxed);
        let mail = queue.open();
        let fresh = Reply::new(mail.resp());
        Some(std::mem::replace(mail, fresh))
    }

    /// Puts back in front what was taken out.
    pub fn put_back(&self, mut taken: Reply) {
        let mut queue = self.queue.lock();
        taken.append(&mut queue.mail);
        queue.mail = taken;
        queue.announced = !queue.mail.is_empty();
        self.full.store(queue.announced, Relaxed);
    }

    /// Goes over to another version of the protocol: what waits, which is in the old one, is moved to `into`, and all
    /// that comes from now on is written in the new one.
    pub fn switch(&self, resp: Resp, into: Option<&mut Reply>) {
        let mut queue = self.queue.lock();
        if let Some(into) = into {
            self.full.store(false, Relaxed);
            into.append(queue.open());
        }
        queue.mail.set_resp(resp);
    }

    /// Bytes that wait.
    pub fn len(&self) -> usize {
        if self.is_full() { self.queue.lock().mail.len() } else { 0 }
    }

    /// The same for the connection itself, which leaves them there: it is woken again by what comes next.
    pub fn look(&self) -> usize {
        if !self.is_full() {
            return 0;
        }
        let mut queue = self.queue.lock();
        queue.announced = false;
        queue.mail.len()
    }

    /// Bytes of memory that the mailbox holds.
    pub fn memory(&self) -> usize {
        self.queue.lock().mail.memory()
    }

    /// Gives back memory that nothing waits in.
    pub fn shrink(&self) {
        self.queue.lock().mail.shrink();
    }
}

/// Wakes connections of one worker, from any thread.
#[derive(Debug, Default)]
pub struct Bell(Mutex<Rung>);

#[derive(Debug, Default)]
struct Rung {
    connections: Vec<Waker>,
    worker: Option<Waker>,
}

impl Bell {
    /// Has the worker poll a connection.
    pub fn ring(&self, connection: Waker) {
        let mut rung = self.0.lock();
        rung.connections.push(connection);
        // The worker has been told of the others already.
        if rung.connections.len() == 1
            && let Some(worker) = &rung.worker
        {
            worker.wake_by_ref();
        }
    }

    /// The worker's part: passes on what others have rung for.
    pub async fn answer(self: Arc<Self>) {
        let mut connections = Vec::new();
        poll_fn(|cx| {
            let mut rung = self.0.lock();
            if !rung.worker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                rung.worker = Some(cx.waker().clone());
            }
            std::mem::swap(&mut rung.connections, &mut connections);
            drop(rung);
            connections.drain(..).for_each(Waker::wake);
            Poll::<()>::Pending
        })
        .await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_wake_for_all_that_waits() {
        let mailbox = Mailbox::default();
        mailbox.switch(Resp::V3, None);
        assert!(!mailbox.is_full() && mailbox.len() == 0);
        assert!(mailbox.put(|out| out.push(1)));
        assert!(!mailbox.put(|out| out.null()));
        // And one more for all that comes after a look.
        assert_eq!(mailbox.look(), b">1\r\n_\r\n".len());
        assert!(mailbox.is_full() && mailbox.put(|_| ()) && !mailbox.put(|_| ()));
        let mut reply = Reply::new(Resp::V2);
        reply.null();
        mailbox.take(&mut reply);
        assert_eq!(reply.to_vec(), b"$-1\r\n>1\r\n_\r\n");
        assert!(!mailbox.is_full() && mailbox.put(|out| out.null()));
        mailbox.switch(Resp::V2, Some(&mut reply));
        assert_eq!(reply.to_vec(), b"$-1\r\n>1\r\n_\r\n_\r\n");
        assert!(mailbox.put(|out| out.push(1)));
        mailbox.take(&mut reply);
        assert!(reply.to_vec().ends_with(b"_\r\n*1\r\n"));
    }
}
