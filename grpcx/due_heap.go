package grpcx

import (
	"container/heap"
	"time"
)

// dueHeap orders connections by when something is due for them, the earliest
// first, so that one timer serves all.
type dueHeap []*peerRecord

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].due.Before(h[j].due) }

func (h dueHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i+1, j+1
}

func (h *dueHeap) Push(x any) {
	p, _ := x.(*peerRecord) // container/heap hands on what set gave it
	*h = append(*h, p)
	p.place = len(*h)
}

func (h *dueHeap) Pop() any {
	old := *h
	p := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	p.place = 0
	return p
}

// set makes p due at a time; the zero time takes it out.
func (h *dueHeap) set(p *peerRecord, due time.Time) {
	p.due = due
	switch {
	case p.place == 0 && !due.IsZero():
		heap.Push(h, p)
	case p.place != 0 && due.IsZero():
		heap.Remove(h, p.place-1)
	case p.place != 0:
		heap.Fix(h, p.place-1)
	}
}

// next returns when the first is due, and false when none is.
func (h dueHeap) next() (time.Time, bool) {
	if len(h) == 0 {
		return time.Time{}, false
	}
	return h[0].due, true
}
