// Package licences finds the licences of everything that the released modules
// compile, and holds them to a list of those that go with the Apache License
// 2.0 of the SDK without conditions for its users' programs.
package licences
