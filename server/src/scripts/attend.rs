//! What clients get while a script keeps their worker from them: the answer that the server is busy, and what may end
//! the script.
//!
//! The worker's event loop stands still meanwhile, and the tasks of its connections with it. So the script has those of
//! them carried on that have sent something. They do what they always do: what may not be called now is refused, breaks
//! transactions and aborts EXEC; nothing else waits for the shards that the script holds.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::Waker;

use crate::client::Shared;
use crate::command::dispatch::Executor;
use crate::worker::give_to_spare;

/// A connection that can be carried on although its event loop stands still.
pub trait Attend {
    /// Carries out what the client has sent, and sends what was about to be sent.
    fn attend(&mut self);
}

/// A connection, which its task serves and, while a script keeps the worker from its tasks, that script.
pub type Attendable = Rc<RefCell<dyn Attend>>;

/// Who is to be woken by what a connection that is attended to waits for. A task that has not begun yet will see to it
/// itself that it is woken.
pub fn waker(client: &Shared) -> Waker {
    client.waker().unwrap_or_else(|| Waker::noop().clone())
}

/// Attends to the clients of this worker other than the one that runs the script, and has those that have just come
/// served elsewhere.
#[cold]
pub fn attend(executor: &Executor) {
    while let Ok(incoming) = executor.inbox.borrow_mut().try_recv() {
        give_to_spare(executor.server, incoming);
    }
    let connections: Vec<Attendable> = executor.connections.borrow().values().cloned().collect();
    for connection in connections {
        // The script's own connection is at work.
        if let Ok(mut connection) = connection.try_borrow_mut() {
            connection.attend();
        }
    }
}
