"""A desk written with QuickFIX, as a process of its own: `python quickfix_desk.py PORT STATE COMPID`.

Independent of the engine that the venue uses: another codec, another session layer, another language; and it rejects
what the FIX 4.4 dictionary does not allow. Reads commands as JSON lines on standard input,
`{"send": "D", "fields": {"11": "a", ...}}`, and prints one JSON line for each event and message.
"""

import json
import os
import sys
import threading
from pathlib import Path

import fixcore
import quickfix as fix

SETTINGS = """
[DEFAULT]
ConnectionType=initiator
SocketConnectHost=127.0.0.1
SocketConnectPort={port}
FileStorePath={state}
HeartBtInt=30
ReconnectInterval=1
StartTime=00:00:00
EndTime=00:00:00
UseDataDictionary=Y
DataDictionary={dictionary}
ValidateUserDefinedFields=N
[SESSION]
BeginString=FIX.4.4
SenderCompID={name}
TargetCompID=VENUE
"""

printing = threading.Lock()  # callbacks come on threads of QuickFIX's own


def say(event, **facts):
    with printing:
        print(json.dumps({"event": event, **facts}), flush=True)


def fields_of(message):
    parts = message.toString().strip("\x01").split("\x01")
    return dict(part.split("=", 1) for part in parts)


class Desk(fix.Application):
    def onCreate(self, session_id):  # noqa: N802
        self.session_id = session_id
        self.gone = threading.Event()

    def onLogon(self, session_id):  # noqa: N802
        say("logon")

    def onLogout(self, session_id):  # noqa: N802
        say("logout")
        self.gone.set()

    def toAdmin(self, message, session_id):  # noqa: N802
        pass

    def fromAdmin(self, message, session_id):  # noqa: N802
        kind = fields_of(message)["35"]
        if kind not in {"0", "1"}:
            say("admin", fields=fields_of(message))

    def toApp(self, message, session_id):  # noqa: N802
        pass

    def fromApp(self, message, session_id):  # noqa: N802
        say("message", fields=fields_of(message))


def send(session_id, kind, fields):
    message = fix.Message()
    message.getHeader().setField(fix.StringField(35, kind))
    for tag, value in fields.items():
        message.setField(fix.StringField(int(tag), value))
    say("sent", ok=fix.Session.sendToTarget(message, session_id))


def main():
    port, state, name = sys.argv[1:]
    settings_file = Path(f"{state}.cfg")
    dictionary = Path(fixcore.__file__).parent / "specs" / "FIX44.xml"  # QuickFIX's own wheel brings none
    settings_file.write_text(SETTINGS.format(port=port, state=state, name=name, dictionary=dictionary))
    settings = fix.SessionSettings(str(settings_file))
    desk = Desk()
    store, log = fix.FileStoreFactory(settings), fix.FileLogFactory(f"{state}-log")
    initiator = fix.SocketInitiator(desk, store, settings, log)
    initiator.start()
    for line in sys.stdin:
        command = json.loads(line)
        send(desk.session_id, command["send"], command["fields"])
    fix.Session.lookupSession(desk.session_id).logout()
    desk.gone.wait()
    os._exit(0)  # stopping the initiator may wait for a callback that waits for this thread


main()
