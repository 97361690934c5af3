"""The image without a container engine: build it, run it in namespaces, play the compose file.

Needs Linux, root, and Debian's packages buildah and mmdebstrap. What differs from a container
engine: docs/image.md.
"""
