package healthx

import (
	"errors"
	"syscall"
)

func freeBytes(path string) (uint64, error) {
	for {
		var st syscall.Statfs_t
		err := syscall.Statfs(path, &st)
		switch {
		case err == nil:
			if st.Frsize > 0 { // what blocks are counted in; Bsize may be larger
				return product(st.Bavail, st.Frsize), nil
			}
			return product(st.Bavail, st.Bsize), nil
		case !errors.Is(err, syscall.EINTR):
			return 0, err
		}
	}
}
