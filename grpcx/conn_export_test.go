package grpcx

// Running lists the methods with calls in flight.
func (s *Server) Running() []string { return s.path.running() }

// OpenConns is the number of connections in the books.
func (s *Server) OpenConns() int { return s.table.open() }
