package standin.web;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import standin.Licence;
import standin.Node;
import standin.cluster.Cluster;
import standin.deploy.DeploymentException;
import standin.http.HttpError;
import standin.http.Part;
import standin.http.Request;
import standin.http.Response;
import standin.search.SearchServer;

/** The administrators' API below {@code /system/api/}. */
final class SystemApi {
  private final Node node;

  SystemApi(Node node) {
    this.node = node;
  }

  Response handle(Request request, String path) throws Exception {
    if (path.equals("stand-in/state")) {
      return Response.json(200, state());
    }
    if (!request.isPost()) {
      throw new HttpError(405, "This address takes POST only");
    }
    if (request.headers().first("X-Requested-By").isEmpty()) {
      throw new HttpError(403, "The header X-Requested-By is missing");
    }
    if (path.equals("config/reload") && node.version().reloadsByRest()) {
      node.configuration().reload();
      return Response.text(200, "Reloaded");
    }
    if (path.matches("apps/[^/]+") && node.configuration().settings().on("REST.Servlet.Deployment", true)) {
      return deploy(request, path.substring("apps/".length()));
    }
    return Response.text(404, "There is no such service");
  }

  private Response deploy(Request request, String application) throws IOException, HttpError {
    Part file = request.parts().get("fileToDeploy");
    if (file == null) {
      throw new HttpError(400, "The form needs the field fileToDeploy");
    }
    String name = Path.of(file.fileName()).getFileName().toString();
    Path directory = Files.createTempDirectory(node.home().work(), "upload");
    Path artefact = directory.resolve(name.endsWith(".iar") ? "upload.iar" : "upload.zip");
    try {
      Files.write(artefact, file.content());
      return Response.text(200, node.applications().deploy(application, artefact));
    } catch (DeploymentException e) {
      return Response.text(500, e.getMessage());
    } finally {
      Files.deleteIfExists(artefact);
      Files.delete(directory);
    }
  }

  /** Not part of the real engine: returns state that tests would otherwise have to extract from pages. */
  private Map<String, Object> state() {
    var state = new LinkedHashMap<String, Object>();
    state.put("node", node.name());
    state.put("version", node.version().toString());
    state.put("mode", node.mode().kind());
    state.put("modeReason", node.mode().reason());
    state.put("members", node.cluster().map(Cluster::members).orElse(List.of()));
    state.put("master", node.cluster().map(Cluster::isMaster).orElse(true));
    state.put("licensed", node.isLicensed());
    state.put("licenceValidUntil", node.licence().get().map(Licence::validUntil).orElse(null));
    state.put("restartRequired", node.configuration().restartRequired());
    state.put("readOnlyConfiguration", node.configuration().worksOnCopies());
    state.put("databaseAvailable", node.database().isAvailable());
    state.put("search", node.search().map(SearchServer::state).orElse(null));
    state.put("baseUrl", node.configuration().settings().get("BaseUrl", ""));
    state.put("settings", node.configuration().settings().keys());
    return state;
  }
}
