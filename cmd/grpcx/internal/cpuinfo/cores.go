package cpuinfo

import "fmt"

// armCore names a core by the fields of its MIDR_EL1 register, in the spelling
// of /proc/cpuinfo.
func armCore(implementer, part string) string {
	if name := armCores[implementer+" "+part]; name != "" {
		return name
	}
	return "Arm implementer " + implementer + " part " + part
}

// midrName names a core by the register itself, see MIDR_EL1 in the Arm
// Architecture Reference Manual.
func midrName(midr uint64) string {
	return armCore(fmt.Sprintf("0x%02x", midr>>24&0xff), fmt.Sprintf("0x%03x", midr>>4&0xfff))
}

// armCores are those that servers have, and the ones that emulators have.
var armCores = map[string]string{
	"0x00 0x051": "QEMU max",
	"0x41 0xd03": "Cortex-A53",
	"0x41 0xd05": "Cortex-A55",
	"0x41 0xd07": "Cortex-A57",
	"0x41 0xd08": "Cortex-A72",
	"0x41 0xd0b": "Cortex-A76",
	"0x41 0xd0c": "Neoverse N1",
	"0x41 0xd40": "Neoverse V1",
	"0x41 0xd49": "Neoverse N2",
	"0x41 0xd4f": "Neoverse V2",
	"0x41 0xd84": "Neoverse V3",
	"0x41 0xd8e": "Neoverse N3",
	"0x48 0xd01": "Kunpeng 920",
	"0xc0 0xac3": "AmpereOne",
	"0xc0 0xac4": "AmpereOne A",
}
