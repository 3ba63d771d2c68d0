"""The live log on Redis or Valkey, version 7 or later: alone, with replicas, or as a Cluster.

Law: what a server must decide in one step it decides in one function (`functions.lua`); parts' bytes never pass through
one. Every lost connection is told as Unreachable, and nothing is repeated unasked. Neighbours: `livelog.cells` joins
several of these logs into one.
"""
