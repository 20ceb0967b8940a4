"""Two processes that take turns: each waits for a line, works, and says how long it took.

The side that works never shares the processor with the side it is compared with, and whatever else
the machine does in the meantime falls on both alike. Used on both sides, so only the standard
library is imported here.
"""
import json
import os
import subprocess
import sys
import time


class Turn:
    "The working side: `wait` ends one piece of work and begins the next when it is told to."

    def __init__(self):
        self.out = os.fdopen(os.dup(1), "w")  # what libraries print goes to stderr
        os.dup2(2, 1)
        self.began = None

    def say(self, **what):
        self.out.write(json.dumps(what) + "\n")
        self.out.flush()

    def wait(self, **more):
        "Report the work since the last call, then wait; ends the process where nobody asks more."
        now = time.perf_counter(), time.process_time()
        if self.began is None: self.say(ready=True, **more)
        else: self.say(wall=now[0] - self.began[0], cpu=now[1] - self.began[1], **more)
        if not sys.stdin.readline():
            self.out.flush()
            os._exit(0)
        self.began = time.perf_counter(), time.process_time()


class Side:
    "The asking side: a started process that is told when to work."

    def __init__(self, name, command, environment):
        self.name, self.times = name, []
        self.process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.facts = self._read()

    def _read(self):
        line = self.process.stdout.readline()
        if line: return json.loads(line)
        self.process.wait()
        raise RuntimeError(f"{self.name} ended early: {self.process.stderr.read()[-3000:]}")

    def work(self, keep=True):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        told = self._read()
        if keep: self.times.append(told)
        return told

    def end(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.stderr.close()
        self.process.wait()


def alternate(sides, rounds, warm=2):
    "Every side once a round, in an order that turns around; the first rounds are not kept."
    for k in range(rounds + warm):
        for side in sides if k % 2 else sides[::-1]: side.work(keep=k >= warm)
