package standin.web;

import java.io.IOException;
import java.util.stream.Collectors;
import standin.Faults;
import standin.Node;
import standin.http.Request;
import standin.http.Response;

/** The page at {@code /}, which older versions also use as their health check. */
final class HomePage {
  private final Node node;

  HomePage(Node node) {
    this.node = node;
  }

  Response handle(Request request) throws IOException {
    if (Faults.healthFails()) {
      return Response.text(503, "Failure asked for by standin.health");
    }
    if (node.mode().isMaintenance()) {
      // As far as known, only the text shows this mode, not the status.
      return maintenance(200);
    }
    if (!node.database().isAvailable()) {
      return Response.text(503, "The system database is not available");
    }
    Response page = Html.page(200, "Axon Ivy Engine", body());
    return node.version().countsChecksAsSessions()
        ? node.sessions().attach(node.sessions().of(request), request, page) : page;
  }

  Response maintenance(int status) throws IOException {
    return Html.page(status, "Maintenance Mode", "<h1>Maintenance Mode</h1><p>This engine is in Maintenance Mode. "
        + "An administrator finds the reason in the <a href=\"/system\">Cockpit</a>.</p>");
  }

  private String body() {
    String links = node.applications().all().stream().map(application -> "<li><a href=\"/"
        + Html.escape(application.name()) + "/\">" + Html.escape(application.name()) + "</a></li>")
        .collect(Collectors.joining());
    String demo = node.mode().isDemo()
        ? "<p class=\"warning\">Demo Mode: what is done here is lost when the engine stops.</p>"
            + "<p><a href=\"/demo-portal/\">demo-portal</a></p>" : "";
    return "<h1>Axon Ivy Engine " + node.version() + "</h1><p class=\"quiet\">A stand-in for tests</p>" + demo
        + (links.isEmpty() ? "<p>No application is deployed.</p>" : "<ul>" + links + "</ul>")
        + "<p><a href=\"/system\">Cockpit</a></p>";
  }
}
