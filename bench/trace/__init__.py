"""`make trace`: the path of one `order.upsert` through the code, from poll to published event.

A real orders service runs on real servers, in a separate process, and has applied other orders
before. Then commands of new orders are sent one by one, and every function of `services/` and
`schemas/` that is entered for one is recorded, in two paths:

- *batch*: the task that polls, from the `getmany` that returns the record to its next `getmany`;
- *relay*: the task that sends the event, from the commit of the batch until the event is
  acknowledged, its row is deleted, and the task waits for the next one.

What other tasks do meanwhile is not counted. Of the last commands (COUNTED_MESSAGES) the path with
the fewest calls counts: it has nothing that is done only once in a while. The figures of a path:

- *files*: files with a function that was entered;
- *changes*: a function is entered that is in another file than the one entered before it. A return
  to the caller is not a change, nor is a coroutine or a generator that continues;
- *changes with returns*: the same, where a return to a caller in another file is a change too, and
  so is a generator that continues. An await that suspends is not: the same coroutine continues;
- *functions*: different functions that were entered. A comprehension, or a generator expression,
  belongs to the function that it stands in;
- *calls*: how often a function was entered.

Code in C, in libraries, and code that dataclasses generate has no file of this project: a path goes
through it without a change. Ends with status 1 where a figure is above budget.json, which `--write`
lowers and never raises.
"""
