//! Commands from JSON.
//!
//! Arguments are taken as they are written: a number keeps its digits. A body can be one command of millions of arguments
//! or millions of commands, so it is read in pieces, between which others have their turn.

use std::borrow::Cow;
use std::fmt;
use std::mem;
use std::sync::Arc;

use hyper::body::Bytes;
use memchr::memchr_iter;
use protocol::{BIG_ARG, OwnedArgs};
use serde::de::{Deserializer, Visitor};
use serde_json::value::RawValue;
use tokio::task::yield_now;

use super::held::Held;
use crate::client::Shared;

/// What is said to commands with `null` among their arguments, which is what JavaScript's `undefined` becomes.
pub const NULL_ARGUMENT: &str = "ERR null args are not supported";

/// So many bytes of commands are read before others have their turn.
const READ_AT_ONCE: usize = 16 * 1024;

/// One command.
pub enum Command {
    Whole(OwnedArgs),
    /// Cannot be carried out ([`NULL_ARGUMENT`]).
    WithNull,
}

/// The commands in a body, one after another. What has been read of the last one is counted as its client's.
pub struct Commands {
    body: Bytes,
    /// How much of the body has been read, and how much when others had their turn.
    position: usize,
    turn: usize,
    part: Part,
    /// Those that have been begun.
    count: usize,
    is_array: bool,
    /// The one that is being read.
    args: OwnedArgs,
    with_null: bool,
    held: Held,
    /// The only one, which is not read again.
    kept: Option<Command>,
}

/// What has been read last.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Nothing,
    /// The beginning of an array of commands.
    Begin,
    /// The beginning of a command.
    CommandBegin,
    Argument,
    Command,
    /// All of it.
    End,
}

/// What reading has come to.
enum Step {
    /// It is others' turn.
    Pause,
    Command(Command),
    End,
}

impl Commands {
    /// A body that is an array of commands: `[["SET", "key", 1], ["GET", "key"]]`.
    pub fn array(body: &Bytes, client: &Arc<Shared>) -> Commands {
        Commands { is_array: true, ..Commands::single(body, client) }
    }

    /// A body that is a command: `["SET", "key", 1]`.
    pub fn single(body: &Bytes, client: &Arc<Shared>) -> Commands {
        Commands {
            body: body.clone(),
            position: 0,
            turn: 0,
            part: Part::Nothing,
            count: 0,
            is_array: false,
            args: OwnedArgs::new(),
            with_null: false,
            held: Held::arguments(client),
            kept: None,
        }
    }

    /// Begins again. `last` is the last one that was read.
    pub fn rewind(&mut self, last: Option<Command>) {
        match last {
            Some(only) if self.count == 1 => self.kept = Some(only),
            _ => (self.position, self.turn, self.part, self.count) = (0, 0, Part::Nothing, 0),
        }
    }

    /// The next one. What is wrong with the body is told where it stands; there is nothing behind it.
    pub async fn next(&mut self) -> Result<Option<Command>, String> {
        if self.kept.is_some() {
            return Ok(self.kept.take());
        }
        loop {
            let step = self.advance();
            match step.map_err(|what| self.located(&what))? {
                Step::Pause => {
                    self.held.set(0, self.args.memory());
                    yield_now().await;
                }
                Step::Command(command) => {
                    if let Command::Whole(args) = &command {
                        self.held.set(0, args.memory());
                    }
                    return Ok(Some(command));
                }
                Step::End => {
                    return Ok(None);
                }
            }
        }
    }

    fn located(&self, what: &str) -> String {
        match self.is_array && self.count > 0 {
            true => format!("command {}: {what} at byte {}", self.count, self.position),
            false => format!("{what} at byte {}", self.position),
        }
    }

    /// Reads on until there is a command or it is others' turn.
    fn advance(&mut self) -> Result<Step, String> {
        loop {
            if self.position - self.turn >= READ_AT_ONCE {
                self.turn = self.position;
                return Ok(Step::Pause);
            }
            self.skip_space();
            let next = self.body.get(self.position).copied();
            self.part = match (self.part, next) {
                (Part::Nothing, Some(b'[')) if self.is_array => self.step_to(Part::Begin),
                (Part::Nothing, _) if self.is_array => return Err("expected an array of commands".to_owned()),
                (Part::Nothing, _) => self.begin_command()?,
                (Part::Begin | Part::Command, Some(b']')) if self.is_array => self.step_to(Part::End),
                (Part::Begin, _) => self.begin_command()?,
                (Part::Command, Some(b',')) if self.is_array => {
                    self.position += 1;
                    self.skip_space();
                    self.begin_command()?
                }
                (Part::Command, _) if self.is_array => return Err("expected `,` or `]` behind it".to_owned()),
                (Part::Command | Part::End, None) => {
                    self.part = Part::End;
                    return Ok(Step::End);
                }
                (Part::Command | Part::End, Some(_)) => return Err("something stands behind the end".to_owned()),
                (Part::CommandBegin, Some(b']')) => return Err("empty command".to_owned()),
                (Part::CommandBegin, _) => self.argument()?,
                (Part::Argument, Some(b',')) => {
                    self.position += 1;
                    self.argument()?
                }
                (Part::Argument, Some(b']')) => {
                    self.part = self.step_to(Part::Command);
                    return Ok(Step::Command(self.end_command()));
                }
                (Part::Argument, Some(_)) => return Err("expected `,` or `]`".to_owned()),
                (Part::Argument, None) => return Err("unexpected end".to_owned()),
            };
        }
    }

    fn step_to(&mut self, part: Part) -> Part {
        self.position += 1;
        part
    }

    fn begin_command(&mut self) -> Result<Part, String> {
        self.count += 1;
        if self.body.get(self.position) != Some(&b'[') {
            return Err("expected an array with a command and its arguments".to_owned());
        }
        Ok(self.step_to(Part::CommandBegin))
    }

    fn argument(&mut self) -> Result<Part, String> {
        self.skip_space();
        let rest = self.body.get(self.position..).unwrap_or_default();
        if matches!(rest.first(), Some(b'[' | b'{')) {
            return Err("an argument must be a string, a number or a boolean".to_owned());
        }
        let mut values = serde_json::Deserializer::from_slice(rest).into_iter::<&RawValue>();
        match values.next() {
            Some(value) => match value.map_err(|error| reason(&error))?.get() {
                "null" => self.with_null = true,
                raw => push(&mut self.args, &argument(raw)?),
            },
            None => return Err("unexpected end".to_owned()),
        }
        self.position += values.byte_offset();
        Ok(Part::Argument)
    }

    fn end_command(&mut self) -> Command {
        let args = mem::take(&mut self.args);
        if mem::take(&mut self.with_null) { Command::WithNull } else { Command::Whole(args) }
    }

    fn skip_space(&mut self) {
        let rest = self.body.get(self.position..).unwrap_or_default();
        self.position += rest.iter().take_while(|byte| b" \t\r\n".contains(byte)).count();
    }
}

/// What is wrong, without the place, which is told as one in the whole body.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&place).unwrap_or(&text).to_owned()
}

/// Adds an argument; a long one gets a buffer of its own, which can become the stored value.
pub fn push(args: &mut OwnedArgs, argument: &[u8]) {
    if argument.len() < BIG_ARG {
        args.push(argument);
    } else {
        args.push_bytes(argument.to_vec().into());
    }
}

/// The bytes that a value stands for as an argument.
fn argument(raw: &str) -> Result<Cow<'_, [u8]>, String> {
    match raw.as_bytes() {
        [b'"', text @ .., b'"'] if !text.contains(&b'\\') => Ok(Cow::Borrowed(text)),
        [b'"', ..] => Ok(Cow::Owned(unescaped(raw)?)),
        _ => Ok(Cow::Borrowed(raw.as_bytes())),
    }
}

/// The text of a string with escapes. Halves of characters, which JavaScript's strings may end in, become U+FFFD.
fn unescaped(raw: &str) -> Result<Vec<u8>, String> {
    struct Text;
    impl Visitor<'_> for Text {
        type Value = Vec<u8>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string")
        }

        fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
            let mut text = bytes.to_vec();
            // A half is given as three bytes, which is as many as U+FFFD has. No whole character begins like this.
            for at in memchr_iter(0xed, bytes) {
                if let Some(half @ [_, 0xa0..=0xff, _]) = text.get_mut(at..at + 3) {
                    half.copy_from_slice("\u{fffd}".as_bytes());
                }
            }
            Ok(text)
        }
    }
    let mut deserializer = serde_json::Deserializer::from_str(raw);
    (&mut deserializer).deserialize_bytes(Text).map_err(|error| reason(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    fn read_command(body: &[u8]) -> Result<Command, String> {
        let mut commands = Commands::single(&Bytes::copy_from_slice(body), &Arc::default());
        wait(async {
            let command = commands.next().await?.ok_or("nothing")?;
            match commands.next().await? {
                None => Ok(command),
                Some(_) => Err("two commands".to_owned()),
            }
        })
    }

    fn whole(command: Result<Command, String>) -> Option<OwnedArgs> {
        match command {
            Ok(Command::Whole(args)) => Some(args),
            _ => None,
        }
    }

    fn count(body: &[u8]) -> Result<usize, String> {
        let mut commands = Commands::array(&Bytes::copy_from_slice(body), &Arc::default());
        let mut count = 0;
        wait(async {
            while commands.next().await?.is_some() {
                count += 1;
            }
            Ok(count)
        })
    }

    fn words(args: &OwnedArgs) -> Vec<String> {
        args.as_args().iter().map(|arg| arg.escape_ascii().to_string()).collect()
    }

    #[test]
    fn arguments_are_taken_as_they_are_written() {
        let args =
            whole(read_command(br#" ["SET", "a\n\u00e9\u0000", 1763680000123456789, -1.50e+3, true, false, ""] "#))
                .unwrap();
        let expected = ["SET", r"a\n\xc3\xa9\x00", "1763680000123456789", "-1.50e+3", "true", "false", ""];
        assert_eq!(words(&args), expected);
        // Halves of characters are one character each.
        let args = whole(read_command(br#"["\ud83d\ude00", "a\ud83db", "\udc00\ud83d\ud83d\ude00\ud7ff"]"#)).unwrap();
        let texts: Vec<_> = args.as_args().iter().map(|arg| std::str::from_utf8(arg).unwrap()).collect();
        assert_eq!(texts, ["\u{1f600}", "a\u{fffd}b", "\u{fffd}\u{fffd}\u{1f600}\u{d7ff}"]);
        let long = "x".repeat(BIG_ARG);
        let args = whole(read_command(format!("[\"SET\",\"{long}\"]").as_bytes())).unwrap();
        assert!(args.as_args().shared(1).is_some());
    }

    #[test]
    fn what_is_no_command_is_refused() {
        for body in [
            "",
            "[",
            "[]",
            "{}",
            "null",
            "\"GET\"",
            "[nul]",
            "[[\"GET\"]]",
            "[{}]",
            "[\"GET\",]",
            "[\"GET\"] x",
            "[01]",
            "[\"\n\"]",
            "[\"\\x\"]",
            "[\"\\u12\"]",
            "[+1]",
            "[NaN]",
        ] {
            assert!(read_command(body.as_bytes()).is_err(), "{body}");
        }
        assert!(read_command(b"[\"\xff\"]").is_err());
        for body in [
            &b""[..],
            b"x",
            b"[",
            b"[[\"GET\",\"a\"],[]]",
            b"[\"GET\"]",
            b"[[\"GET\"],]",
            b"[,[\"GET\"]]",
            b"[[\"GET\"][\"GET\"]]",
            b"[[\"GET\"]",
            b"[[\"GET\"]] x",
            b"[[\"GET\"],x]",
            b"[] []",
            b"[]]",
            b"[null]",
            b"[[\"GET\"],",
        ] {
            assert!(count(body).is_err(), "{}", body.escape_ascii());
        }
        assert!(read_command("[".repeat(100_000).as_bytes()).is_err());
        assert_eq!(count(b" [ [\"GET\",\"a\"] ,\n[\"PING\"] ,[null]] "), Ok(3));
        assert_eq!((count(b"[]"), count(b" [ ] ")), (Ok(0), Ok(0)));
    }

    #[test]
    fn one_command_is_read_in_pieces() {
        let body = Bytes::from(format!("[\"EXISTS\"{}]", ",\"a\"".repeat(100_000)));
        let client = Arc::new(Shared::default());
        let mut commands = Commands::array(&[b"[", &body[..], b"]"].concat().into(), &client);
        let mut pauses = 0;
        let args = loop {
            match commands.advance().unwrap() {
                Step::Pause => pauses += 1,
                Step::Command(Command::Whole(args)) => break args,
                _ => panic!("no command"),
            }
        };
        assert_eq!((args.as_args().len(), pauses), (100_001, body.len() / READ_AT_ONCE));
        // One that is alone is read once.
        assert!(matches!(commands.advance(), Ok(Step::End)));
        commands.rewind(Some(Command::Whole(args)));
        let again = wait(commands.next()).unwrap();
        assert!(matches!(again, Some(Command::Whole(args)) if args.as_args().len() == 100_001));
        assert!(matches!(wait(commands.next()), Ok(None)));
        // Its arguments are the client's as long as it may be carried out.
        let mut commands = Commands::single(&body, &client);
        drop(wait(commands.next()));
        assert!(client.argv_memory.load(std::sync::atomic::Ordering::Relaxed) > 100_000);
        drop(commands);
        assert_eq!(client.argv_memory.load(std::sync::atomic::Ordering::Relaxed), 0);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (body, text) in [
            (&b"[\"GET\",]"[..], "expected value at byte 7"),
            (b"[\"GET\" 1]", "expected `,` or `]` at byte 7"),
            (b"{}", "expected an array with a command and its arguments at byte 0"),
            (b"[\"GET\", [1]]", "an argument must be a string, a number or a boolean at byte 8"),
            (b"[\"GET\"] x", "something stands behind the end at byte 8"),
        ] {
            assert_eq!(read_command(body).err().as_deref(), Some(text));
        }
        assert_eq!(count(b"[[\"GET\"],\n[]]"), Err("command 2: empty command at byte 11".to_owned()));
    }
}
