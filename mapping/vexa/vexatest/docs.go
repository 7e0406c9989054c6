package vexatest

import (
	"fmt"
	"net/http"
	"strings"
)

// addDocs registers FastAPI's pages about the service, which a 0.10 in production hides.
func (s *Server) addDocs(r *router, title string) {
	if s.legacy() && s.config.Production {
		return
	}
	page := func(format string) func(*call) answer {
		return func(*call) answer {
			return answer{
				status: http.StatusOK, contentType: "text/html; charset=utf-8",
				body: []byte(fmt.Sprintf(format, title)),
			}
		}
	}
	r.add("GET /openapi.json", func(*call) answer { return openAPI(r, title) })
	r.add("GET /docs", page(swaggerPage))
	r.add("GET /redoc", page(redocPage))
}

// openAPI lists the routes, without the schemas that the real document has.
func openAPI(r *router, title string) answer {
	type info struct {
		Title   string `json:"title"`
		Version string `json:"version"`
	}
	paths := make(map[string]map[string]struct{})
	for _, one := range r.routes {
		if paths[one.pattern] == nil {
			paths[one.pattern] = make(map[string]struct{})
		}
		paths[one.pattern][strings.ToLower(one.method)] = struct{}{}
	}
	return jsonAnswer(http.StatusOK, struct {
		OpenAPI string                         `json:"openapi"`
		Info    info                           `json:"info"`
		Paths   map[string]map[string]struct{} `json:"paths"`
	}{"3.1.0", info{title, "0.1.0"}, paths})
}

const swaggerPage = `
    <!DOCTYPE html>
    <html>
    <head>
    <link type="text/css" rel="stylesheet" href="https://cdn.jsdelivr.net/npm/swagger-ui-dist@5/swagger-ui.css">
    <link rel="shortcut icon" href="https://fastapi.tiangolo.com/img/favicon.png">
    <title>%s - Swagger UI</title>
    </head>
    <body>
    <div id="swagger-ui">
    </div>
    <script src="https://cdn.jsdelivr.net/npm/swagger-ui-dist@5/swagger-ui-bundle.js"></script>
    <!-- ` + "`SwaggerUIBundle`" + ` is now available on the page -->
    <script>
    const ui = SwaggerUIBundle({
        url: '/openapi.json',
    "dom_id": "#swagger-ui",
"layout": "BaseLayout",
"deepLinking": true,
"showExtensions": true,
"showCommonExtensions": true,
oauth2RedirectUrl: window.location.origin + '/docs/oauth2-redirect',
    presets: [
        SwaggerUIBundle.presets.apis,
        SwaggerUIBundle.SwaggerUIStandalonePreset
        ],
    })
    </script>
    </body>
    </html>
    `

const redocPage = `
    <!DOCTYPE html>
    <html>
    <head>
    <title>%s - ReDoc</title>
    <!-- needed for adaptive design -->
    <meta charset="utf-8"/>
    <meta name="viewport" content="width=device-width, initial-scale=1">
    
    <link href="https://fonts.googleapis.com/css?family=Montserrat:300,400,700|Roboto:300,400,700" rel="stylesheet">
    
    <link rel="shortcut icon" href="https://fastapi.tiangolo.com/img/favicon.png">
    <!--
    ReDoc doesn't change outer page styles
    -->
    <style>
      body {
        margin: 0;
        padding: 0;
      }
    </style>
    </head>
    <body>
    <noscript>
        ReDoc requires Javascript to function. Please enable it to browse the documentation.
    </noscript>
    <redoc spec-url="/openapi.json"></redoc>
    <script src="https://cdn.jsdelivr.net/npm/redoc@next/bundles/redoc.standalone.js"> </script>
    </body>
    </html>
    `
