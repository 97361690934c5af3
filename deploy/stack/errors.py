"""Reasons why the local stack cannot start; each error says what is wrong and the way out."""


class StackError(Exception):
    """The local stack cannot do what was asked; the text names the way out."""


class NoNetwork(StackError):
    """A file has to be downloaded once, and its server cannot be reached."""


class DamagedDownload(StackError):
    """A downloaded file has another checksum than the pinned one."""


class PortTaken(StackError):
    """The port that was asked for belongs to another process."""


class DiskFull(StackError):
    """Too little space is left where the servers keep their files."""


class TooLittleMemory(StackError):
    """The servers need more memory than is free."""


class JavaMissing(StackError):
    """No Java runtime that Kafka can run on."""


class ServerFailed(StackError):
    """A server ended or did not answer; the text holds the end of its log."""


class AlreadyRunning(StackError):
    """Another process runs a stack in this folder."""


class NotRunning(StackError):
    """No stack runs in this folder, where one is needed."""
