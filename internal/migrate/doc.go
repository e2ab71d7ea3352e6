// Package migrate tests docs/migrating.md: its code blocks are files of the
// directories below, and its table of what a client sees was seen with them.
package migrate
