"""Who says so, and how sure that is: what the keys and letters in the catalogue stand for."""

SOURCES = {
    "SEED": "article on mobile QQ 3.0, protocol 1.4 (2014): own captures with an emulator",
    "TIEBA": "forum thread on 1.4 over TCP: captured requests and responses",
    "SOUND": "article and Go program (2012-2014): one captured session, requests",
    "HACK": "research note on 1.1 (August 2005): probes of the real server",
    "WEI": "article of 2005 with the 1.0 command list, and its many mirrors",
    "PHPQ": "PHP class QQClient, 1.1 over HTTP",
    "CS11": "C# WebClient class of 2010, 1.1 over HTTP",
    "DEL": "Delphi mass sender, 1.1 over HTTP",
    "PY": "Python 2 scripts of 2005 and 2014, 1.0 and 1.1 over HTTP",
    "JAVA": "Java program RMPS (about 2009): three captured sign-ins, and code",
    "GAE": "App Engine script, 1.3 over HTTP",
    "ZN": "C# client ZNQQ, 1.4 over TCP",
    "QB": "C# client QQBot, 1.4 over TCP",
    "YIWO": "C# class CMQQ of yiwoSDK, 1.4 over TCP",
    "SETM": "PHP class SET_MQQ, 1.4 over HTTP",
    "FWGQ": "PHP class FWGQ, 1.4 over HTTP, imitates the phone's headers",
    "GO": "two Go programs, 1.4 over HTTP",
    "VB": "article on a Visual Basic client (2013), 1.4 over TCP",
    "INF": "inferred from the other sources, never attested",
    "OURS": "unknown; the least surprising choice, made by this project",
}
"""What the evidence keys stand for."""

CONFIDENCE = {
    "A": "three or more independent sources, or a capture and code that depends on it",
    "B": "two independent sources",
    "C": "one source",
    "D": "inferred",
    "?": "unknown",
}
"""What the letters stand for: how sure a statement is."""
