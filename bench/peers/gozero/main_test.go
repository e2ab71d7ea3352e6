package main

import "testing"

// What is compared has its middlewares on.
func TestGoZeroDefaults(t *testing.T) {
	c, err := goZeroConfig("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := c.Middlewares
	if !m.Trace || !m.Recover || !m.Stat || !m.Prometheus || !m.Breaker || !c.Health || c.Timeout <= 0 {
		t.Errorf("a default is off: %+v, health %t, timeout %d", m, c.Health, c.Timeout)
	}
}
