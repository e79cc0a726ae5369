//! What a relay can do to connections.

/// What is wrong with the way between client and server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The connection is reset at both ends; what is on its way is lost. A new connection is reset once it is accepted.
    Reset,
    /// The connection is closed at both ends (FIN); what is on its way is lost.
    End,
    /// The connection is closed at this side alone. The other side is not told: nothing is read from it and nothing
    /// comes. When that is over it is reset, as by a host that has forgotten the connection.
    HalfOpen(Side),
    /// Nothing passes, and nobody is told. A new connection is accepted and not served. When that is over, what was
    /// held up goes on, as TCP would send it again: nothing is lost.
    BlackHole,
    /// What is sent in this direction is swallowed, though its sender sees it acknowledged by TCP; the other direction
    /// works. A gap in the bytes cannot be mended: a connection that has lost some is reset when that is over.
    Loss(Direction),
    /// At most so many bytes pass in a second, in each direction. What the kernel's socket buffers hold waits in front.
    Slow {
        /// The limit.
        bytes_per_second: u32,
    },
    /// Exactly so many more bytes pass in this direction; then the connection is reset.
    ResetAfter {
        /// The direction whose bytes count; the other one works until then.
        direction: Direction,
        /// How many pass. With none the connection is reset at once.
        bytes: usize,
    },
    /// Each byte is sent by itself.
    Chop,
}

/// One way through a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the client to the server.
    ToServer,
    /// From the server to the client.
    ToClient,
}

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The end that has opened the connection to the relay.
    Client,
    /// The end that the relay leads to.
    Server,
}

/// Which connections a fault concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reach {
    /// Those that are open.
    Live,
    /// Those to come.
    New,
    /// Those that are open and those to come.
    All,
}

/// How it stands with one connection.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Condition {
    pub(super) fault: Option<Fault>,
    /// Set when there is no way back.
    pub(super) over: Option<Over>,
}

/// How a connection ends by a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    Reset,
    End,
}

impl Condition {
    pub(super) fn new(fault: Option<Fault>) -> Self {
        let mut condition = Condition::default();
        condition.change(fault);
        condition
    }

    /// The fault is this one from now on, or none.
    pub(super) fn change(&mut self, fault: Option<Fault>) {
        let forgotten = matches!(self.fault, Some(Fault::HalfOpen(_))) && self.fault != fault;
        self.fault = fault;
        let over = match fault {
            _ if forgotten => Some(Over::Reset),
            Some(Fault::Reset) => Some(Over::Reset),
            Some(Fault::End) => Some(Over::End),
            _ => None,
        };
        self.over = self.over.or(over);
    }
}
