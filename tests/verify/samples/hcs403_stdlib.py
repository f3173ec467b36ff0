"""Parts of the standard library that become others' functions and classes."""

import ctypes
import json
import logging
import socket
import ssl
import time

import orjson
import socks

original = socket.socket
socket.socket = socks.socksocket  # expect: HCS403
json.dumps = orjson.dumps  # expect: HCS403
ssl._create_default_https_context = ssl._create_unverified_context  # expect: HCS403
socket.socket = original

logging.Formatter.converter = time.gmtime
socket.SOMAXCONN = socket.SO_REUSEADDR
ctypes.pythonapi.PyOS_getsig.restype = ctypes.c_void_p
logging.getLogger("app").level = logging.DEBUG
