// Package peers holds the servers of other frameworks that package bench
// builds, starts and measures. They are a module of their own because of what
// they depend on, and a program each because some of these frameworks start
// work of their own, and write to the standard output, wherever they are linked
// in.
package peers
