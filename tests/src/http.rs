//! A blocking connection for HTTP that sends bytes as they are and takes answers apart no more than a test needs.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};

use crate::connection::{read_to_close, socket};

/// A raw connection.
#[derive(Debug)]
pub struct HttpConnection<S = TcpStream> {
    stream: BufReader<S>,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    /// The value of a header; empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl HttpConnection {
    /// Connects to a port of 127.0.0.1.
    pub fn open(port: u16) -> io::Result<Self> {
        Ok(Self::over(socket((Ipv4Addr::LOCALHOST, port))?))
    }
}

impl<S: Read + Write> HttpConnection<S> {
    /// Speaks over a stream.
    pub fn over(stream: S) -> Self {
        Self { stream: BufReader::new(stream) }
    }

    /// Sends bytes as they are.
    pub fn send_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// Sends a request with a host and, where there is a body, its length. `headers` are whole lines.
    pub fn send(&mut self, method: &str, target: &str, headers: &[&str], body: &[u8]) -> io::Result<()> {
        let mut head = format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n");
        headers.iter().for_each(|line| head.push_str(&format!("{line}\r\n")));
        if !body.is_empty() {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        self.send_bytes(&[head.as_bytes(), body].concat())
    }

    /// The head of the next answer, which is read up to its empty line. A connection that is closed instead is an error.
    pub fn read_head(&mut self) -> io::Result<Answer> {
        let line = self.line()?;
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status =
            status.ok_or_else(|| io::Error::new(io::ErrorKind::UnexpectedEof, format!("no answer: {line:?}")))?;
        let mut headers = Vec::new();
        loop {
            match self.line()?.split_once(':') {
                Some((name, value)) => headers.push((name.to_ascii_lowercase(), value.trim().to_owned())),
                None => return Ok(Answer { status, headers, body: Vec::new() }),
            }
        }
    }

    /// The next answer, to a request that was no HEAD.
    pub fn read(&mut self) -> io::Result<Answer> {
        let head = self.read_head()?;
        self.read_body(head)
    }

    /// What comes behind the head of an answer.
    pub fn read_body(&mut self, mut answer: Answer) -> io::Result<Answer> {
        if answer.header("transfer-encoding") == "chunked" {
            loop {
                let chunk = self.read_chunk()?;
                if chunk.is_empty() {
                    return Ok(answer);
                }
                answer.body.extend(chunk);
            }
        }
        answer.body = vec![0; answer.header("content-length").parse().unwrap_or(0)];
        self.stream.read_exact(&mut answer.body)?;
        Ok(answer)
    }

    /// The next piece of an answer that comes in pieces.
    pub fn read_chunk(&mut self) -> io::Result<Vec<u8>> {
        let line = self.line()?;
        let size = usize::from_str_radix(&line, 16).map_err(|_| io::Error::other(format!("no chunk: {line:?}")))?;
        let mut chunk = vec![0; size + 2];
        self.stream.read_exact(&mut chunk)?;
        chunk.truncate(size);
        Ok(chunk)
    }

    /// Sends a request and reads its answer.
    pub fn call(&mut self, method: &str, target: &str, headers: &[&str], body: &[u8]) -> io::Result<Answer> {
        self.send(method, target, headers, body)?;
        self.read()
    }

    /// Reads until the server closes the connection. A reset is a close, too.
    pub fn read_to_close(&mut self) -> io::Result<Vec<u8>> {
        read_to_close(&mut self.stream)
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }
}
