"""An RTMP publisher: the demo's encoder, and `headrace publish`.

Law: it speaks to any RTMP server, ours included, through the network only. Neighbours: `core.rtmp` is the protocol,
`sources` makes the media.
"""
