// Package greet is the service that every example serves.
package greet

import "errors"

// Validate is what plugins such as protoc-gen-validate generate, and what
// go-grpc-middleware's validator calls: a request without a name is refused.
func (x *GreetRequest) Validate() error {
	if x.GetName() == "" {
		return errors.New("name is empty; say whom to greet")
	}
	return nil
}
