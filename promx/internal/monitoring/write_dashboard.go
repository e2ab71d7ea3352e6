package monitoring

// The parts of Grafana's dashboards that are used, in the schema of Grafana 10,
// which later ones read.
//
//nolint:tagliatelle // the names are Grafana's
type (
	dashboard struct {
		Title         string            `json:"title"`
		UID           string            `json:"uid"`
		Description   string            `json:"description"`
		Tags          []string          `json:"tags"`
		Editable      bool              `json:"editable"`
		GraphTooltip  int               `json:"graphTooltip"`
		Refresh       string            `json:"refresh"`
		SchemaVersion int               `json:"schemaVersion"`
		Time          map[string]string `json:"time"`
		Templating    struct {
			List []variable `json:"list"`
		} `json:"templating"`
		Panels []panel `json:"panels"`
	}
	variable struct {
		Name       string      `json:"name"`
		Label      string      `json:"label"`
		Type       string      `json:"type"`
		Query      any         `json:"query"`
		Definition string      `json:"definition,omitempty"`
		Datasource *datasource `json:"datasource,omitempty"`
		Refresh    int         `json:"refresh"`
		IncludeAll bool        `json:"includeAll"`
		AllValue   string      `json:"allValue,omitempty"`
		Multi      bool        `json:"multi"`
		Sort       int         `json:"sort,omitempty"`
	}
	variableQuery struct {
		Query string `json:"query"`
		RefID string `json:"refId"`
	}
	datasource struct {
		Type string `json:"type"`
		UID  string `json:"uid"`
	}
	panel struct {
		ID          int          `json:"id"`
		Type        string       `json:"type"`
		Title       string       `json:"title"`
		Description string       `json:"description,omitempty"`
		Datasource  *datasource  `json:"datasource,omitempty"`
		GridPos     gridPos      `json:"gridPos"`
		FieldConfig *fieldConfig `json:"fieldConfig,omitempty"`
		Options     any          `json:"options,omitempty"`
		Targets     []target     `json:"targets,omitempty"`
		Collapsed   *bool        `json:"collapsed,omitempty"`
		Panels      []panel      `json:"panels,omitempty"`
	}
	gridPos struct {
		H int `json:"h"`
		W int `json:"w"`
		X int `json:"x"`
		Y int `json:"y"`
	}
	fieldConfig struct {
		Defaults struct {
			Unit   string         `json:"unit"`
			Custom map[string]any `json:"custom"`
		} `json:"defaults"`
		Overrides []any `json:"overrides"`
	}
	target struct {
		RefID        string      `json:"refId"`
		Datasource   *datasource `json:"datasource"`
		Expr         string      `json:"expr"`
		LegendFormat string      `json:"legendFormat"`
		Exemplar     bool        `json:"exemplar,omitempty"`
	}
)

var prometheus = &datasource{Type: "prometheus", UID: "${datasource}"}

// Graphs are three to a row of the grid, which has 24 columns.
const (
	panelWidth  = 8
	panelHeight = 8
	gridColumns = 24
)

// DashboardJSON is the dashboard as Grafana imports it.
func DashboardJSON() string {
	d := dashboard{
		Title: "gRPC servers (grpcx)", UID: "grpcx", Tags: []string{"grpc", "grpcx"},
		Description:   "Servers of github.com/grpcx-go/sdk, by the names of promx.",
		Editable:      true,
		GraphTooltip:  1, // a shared crosshair
		Refresh:       "30s",
		SchemaVersion: 39,
		Time:          map[string]string{"from": "now-1h", "to": "now"},
	}
	d.Templating.List = []variable{
		{Name: "datasource", Label: "Data source", Type: "datasource", Query: "prometheus", Refresh: 1},
		choice("job", "Job", "label_values(<grpcx.drain.phase>, job)"),
		choice("instance", "Instance", `label_values(<grpcx.drain.phase>{job=~"$job"}, instance)`),
		choice("rpc_method", "Method", `label_values(<grpcx.calls.active>{`+these+`}, rpc_method)`),
	}
	y, id := 0, 0
	open := false
	for _, r := range Rows() {
		id++
		d.Panels = append(d.Panels, panel{ID: id, Type: "row", Title: r.Title, Collapsed: &open, GridPos: gridPos{H: 1, W: gridColumns, Y: y}})
		y++
		x := 0
		for i, p := range r.Panels {
			id++
			d.Panels = append(d.Panels, p.grafana(id, gridPos{H: panelHeight, W: panelWidth, X: x, Y: y}))
			if x += panelWidth; x == gridColumns || i == len(r.Panels)-1 {
				x, y = 0, y+panelHeight
			}
		}
	}
	return indentJSON(d)
}

// choice is a variable of any number of values.
func choice(name, label, query string) variable {
	query = PromQL(query)
	return variable{
		Name: name, Label: label, Type: "query", Datasource: prometheus,
		Query: variableQuery{Query: query, RefID: name}, Definition: query,
		Refresh: 2, IncludeAll: true, AllValue: ".*", Multi: true, Sort: 1, // read anew with the time range
	}
}

func (p Panel) grafana(id int, at gridPos) panel {
	out := panel{
		ID: id, Type: "timeseries", Title: p.Title, Description: p.Text, Datasource: prometheus, GridPos: at,
		FieldConfig: &fieldConfig{Overrides: []any{}},
		Options: map[string]any{
			"legend":  map[string]any{"displayMode": "list", "placement": "bottom", "showLegend": true},
			"tooltip": map[string]any{"mode": "multi", "sort": "desc"},
		},
	}
	if p.Empty != "" {
		out.Description += " Empty " + p.Empty + "."
	}
	out.FieldConfig.Defaults.Unit = p.Unit
	out.FieldConfig.Defaults.Custom = map[string]any{"fillOpacity": 5, "lineWidth": 1, "showPoints": "auto"}
	for i, l := range p.Lines {
		out.Targets = append(out.Targets, target{
			RefID: string(rune('A' + i)), Datasource: prometheus,
			Expr: PromQL(l.Expr), LegendFormat: l.Legend, Exemplar: p.Exemplars,
		})
	}
	return out
}
