#!/bin/sh
# No package starts its service: the entrypoint alone decides what runs in a sandbox.
exit 101
