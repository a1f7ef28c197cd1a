package standin.web;

import java.io.IOException;
import java.sql.SQLException;
import java.time.temporal.ChronoUnit;
import java.util.List;
import standin.Licence;
import standin.Node;
import standin.cluster.Cluster;
import standin.database.NodeEntry;
import standin.http.Response;
import standin.search.SearchServer;

/** The Cockpit's read-only pages. */
final class DashboardPage {
  private static final String MENU = """
      <nav><a href="/system/engine-cockpit">Overview</a> <a href="/system/engine-cockpit/cluster">Cluster</a>
      <a href="/system/engine-cockpit/configuration">Configuration</a>
      <a href="/system/engine-cockpit/files">Files</a> <a href="/">Engine</a></nav>
      """;
  private final Node node;

  DashboardPage(Node node) {
    this.node = node;
  }

  static Response page(String title, String body) throws IOException {
    return Html.page(200, title, MENU + "<h1>" + Html.escape(title) + "</h1>" + body);
  }

  Response overview() throws IOException {
    var body = new StringBuilder();
    if (!node.configuration().restartRequired().isEmpty()) {
      body.append("<p class=\"warning\">A restart is required. Changed since the start: ")
          .append(Html.escape(String.join(", ", node.configuration().restartRequired()))).append("</p>");
    }
    if (node.configuration().worksOnCopies()) {
      body.append("<p class=\"warning\">The configuration is read-only: changes made here are lost at the next start. ")
          .append("Make them in the original files, too.</p>");
    }
    body.append("<table>").append(Html.row("Version", node.version() + " (stand-in)"))
        .append(Html.row("Node", node.name()))
        .append(Html.row("Mode", node.mode().kind() + " " + node.mode().reason()))
        .append(Html.row("Licence", node.licence().get().map(DashboardPage::describe).orElse("none")))
        .append(Html.row("System database", node.database().isAvailable() ? "available" : "lost"))
        .append(Html.row("Search server", node.search().map(SearchServer::state).orElse("none configured")))
        .append(Html.row("Sessions on this node", node.sessions().count()))
        .append(Html.row("Base URL", node.configuration().settings().get("BaseUrl", "-")))
        .append(Html.row("Mail server", node.configuration().settings().get("EMail.Server.Host", "-")))
        .append("</table><h2>Applications</h2><table>");
    node.applications().all().forEach(application ->
        body.append(Html.row(application.name(), "version " + application.release().version())));
    body.append("</table>").append("""
        <h2>Licence upload</h2>
        <form method="post" action="/system/engine-cockpit/licence" enctype="multipart/form-data">
        <input type="file" name="file" required> <button>Upload</button></form>
        """);
    return page("Engine Cockpit", body.toString());
  }

  Response cluster() throws IOException, SQLException {
    var body = new StringBuilder("<p class=\"warning\">Changes that you make on this node may not be applied on the "
        + "other nodes of the cluster.</p>");
    List<String> members = node.cluster().map(Cluster::members).orElse(List.of());
    body.append("<table><tr><th>Name</th><th>Address</th><th>Port</th><th>State</th><th>Communication</th>"
        + "<th>Role</th><th>Version</th><th>Since</th></tr>");
    for (NodeEntry entry : node.database().nodes()) {
      boolean member = members.contains(entry.name());
      String role = member && members.indexOf(entry.name()) == 0 ? "master" : "";
      body.append(Html.row(entry.name() + (entry.name().equals(node.name()) ? " (local)" : ""), entry.address(),
          entry.port(), entry.state(), member ? "UP" : "DOWN", role, entry.engineVersion(),
          entry.changedAt().truncatedTo(ChronoUnit.SECONDS)));
    }
    return page("Cluster", body.append("</table>").toString());
  }

  private static String describe(Licence licence) {
    return licence.type() + ", " + licence.nodes() + " nodes, valid until " + licence.validUntil() + ", for "
        + String.join(", ", licence.publicUrls());
  }
}
