"A headless Chromium, asked through its debugging protocol; tests skip where there is none."
import contextlib
import json
import shutil
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

import pytest

FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--remote-debugging-port=0", "--remote-allow-origins=*")


def chromium():
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))),
                 None)
    if found is None: pytest.skip("no Chromium here; apt-get install chromium")
    return found


class Tab:
    "One page of the browser."
    def __init__(self, socket): self.socket, self.count, self.asked = socket, 0, []

    def call(self, method, **params):
        self.count += 1
        self.socket.send(json.dumps({"id": self.count, "method": method, "params": params}))
        while True:
            said = json.loads(self.socket.recv())
            if said.get("method") == "Network.requestWillBeSent":
                self.asked.append(said["params"]["request"]["url"])
            if said.get("id") == self.count: return said.get("result", said)

    def evaluate(self, text):
        said = self.call("Runtime.evaluate", expression=text, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in said, said
        return said["result"].get("value")

    def open(self, url, width=1366, height=900, wait="true", seconds=60):
        "Go there and wait until the page is loaded and an expression is true."
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=False)
        self.call("Page.navigate", url=url)
        self.wait(f"document.readyState === 'complete' && ({wait})", seconds)

    def wait(self, text, seconds=60):
        end = time.monotonic() + seconds
        while not self.evaluate(text):
            assert time.monotonic() < end, f"not within {seconds} s: {text}"
            time.sleep(0.2)


@contextlib.contextmanager
def browser():
    websocket = pytest.importorskip("websocket")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [chromium(), *FLAGS, f"--user-data-dir={profile}", "about:blank"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            note, end = Path(profile, "DevToolsActivePort"), time.monotonic() + 60
            while not note.exists() or not note.read_text().strip():
                assert time.monotonic() < end, "Chromium did not start"
                time.sleep(0.1)
            port = note.read_text().split()[0]
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/json") as answer:
                page = next(p for p in json.load(answer) if p["type"] == "page")
            tab = Tab(websocket.create_connection(page["webSocketDebuggerUrl"], timeout=120))
            for domain in ("Page", "Runtime", "Network"): tab.call(f"{domain}.enable")
            yield tab
        finally:
            process.kill()
            process.wait()
