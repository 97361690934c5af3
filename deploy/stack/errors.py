"""What can keep the local stack from starting; each error says what is wrong and the way out."""


class StackError(Exception):
    """The local stack cannot do what was asked; the text is for a person and names the way out."""


class NoNetwork(StackError):
    """Something has to be fetched once, and the place it comes from cannot be reached."""


class DamagedDownload(StackError):
    """A fetched file is not the one that was pinned."""


class PortTaken(StackError):
    """The port that was asked for belongs to another process."""


class DiskFull(StackError):
    """Too little space is left where the servers keep their files."""


class TooLittleMemory(StackError):
    """The servers would not fit into the memory that is left."""


class JavaMissing(StackError):
    """No Java runtime that Kafka can run on."""


class ServerFailed(StackError):
    """A server ended or stayed silent; the text holds the end of its log."""


class AlreadyRunning(StackError):
    """Another process runs a stack in this folder."""


class NotRunning(StackError):
    """A stack was expected in this folder and there is none."""
