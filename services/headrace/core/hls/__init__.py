"""HLS: where parts and segments end (`segmenter`), and the playlists that list them.

Law: pure functions of plan, media times and log entries; nothing here reads media bytes. Neighbours: `cmaf` packages
what the segmenter cuts, `broadcast` holds the plan and the log's entries.
"""
