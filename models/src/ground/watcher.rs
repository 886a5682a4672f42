//! Talk with `arrakis watch`, which runs this program anew whenever its source is saved, and meanwhile holds its models.
//!
//! One message and its reply are a line of JSON each, over a socket that the variable `ARRAKIS_WATCH` names.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The variable that holds the path of the socket.
pub const WATCH_VARIABLE: &str = "ARRAKIS_WATCH";

/// What a watched program says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Message {
    /// Where are the weights of this name?
    Take {
        /// Stands for their files and the rules by which they were read.
        name: String,
    },
    /// Hold these weights for later runs.
    Keep {
        /// As in `Take`.
        name: String,
        /// The folder or Hub id, for people to read.
        label: String,
        /// Their size.
        bytes: u64,
        /// Where this program has them open.
        path: PathBuf,
    },
    /// A record was written.
    Record {
        /// Its file.
        path: PathBuf,
    },
}

/// What `arrakis watch` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// The weights are here.
    At(PathBuf),
    /// Done, or there is nothing to say.
    Ok,
}

/// The watching program.
#[derive(Clone, Debug)]
pub struct Watcher {
    socket: PathBuf,
}

impl Watcher {
    /// The program that watches this one, if one does.
    pub fn of_this_program() -> Option<Self> {
        std::env::var_os(WATCH_VARIABLE).filter(|path| !path.is_empty()).map(Self::at)
    }

    /// The program that listens at a socket.
    pub fn at(socket: impl Into<PathBuf>) -> Self {
        Self { socket: socket.into() }
    }

    /// Says something and returns the answer. `None` if nobody answers: the program then works as if nobody watched.
    #[cfg(unix)]
    pub fn ask(&self, message: &Message) -> Option<Reply> {
        use std::io::{BufRead as _, BufReader, Write as _};
        let mut stream = std::os::unix::net::UnixStream::connect(&self.socket).ok()?;
        writeln!(stream, "{}", serde_json::to_string(message).ok()?).ok()?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).ok()?;
        serde_json::from_str(&line).ok()
    }

    /// Nobody watches where there are no sockets in the file system.
    #[cfg(not(unix))]
    pub fn ask(&self, _: &Message) -> Option<Reply> {
        None
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn a_message_and_its_reply_are_a_line_each() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("socket");
        let watcher = Watcher::at(&socket);
        let message = Message::Take { name: "weights".into() };
        assert_eq!(watcher.ask(&message), None, "nobody listens");
        let listener = UnixListener::bind(&socket).unwrap();
        let heard = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut line = String::new();
            BufReader::new(&stream).read_line(&mut line).unwrap();
            stream.write_all(b"{\"at\":\"/proc/1/fd/3\"}\n").unwrap();
            line
        });
        assert_eq!(watcher.ask(&message), Some(Reply::At("/proc/1/fd/3".into())));
        assert_eq!(heard.join().unwrap(), "{\"take\":{\"name\":\"weights\"}}\n");
    }
}
