// Package frameworks holds the programs that docs/migrating.md moves away from.
package frameworks
