package standin.config;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/**
 * Values that do not come from YAML: secret files, overridden by the environment. The vendor documents that the
 * environment overrides YAML; the precedence of the secret files is this stand-in's assumption.
 */
final class Overrides {
  private static final String PREFIX = "IVY_";

  /** A variable in capitals does not show the spelling of its key. These are the keys that the engine reads. */
  private static final List<String> KNOWN_KEYS = List.of("SystemDb.Url", "SystemDb.UserName", "SystemDb.Password",
      "SystemDb.Driver", "SystemDb.MaxConnections", "SystemDb.Autoconvert", "BaseUrl", "Licence",
      "Connector.HTTP.Enabled", "Connector.HTTP.Port", "Connector.HTTP.Address", "Connector.HTTPS.Enabled",
      "Connector.HTTPS.Port", "Connector.HTTPS.KeystoreFile", "Connector.HTTPS.KeystorePass",
      "Connector.HTTPS.KeystoreType", "Elasticsearch.ExternalServer.Url", "Elasticsearch.ExternalServer.UserName",
      "Elasticsearch.ExternalServer.Password", "Elasticsearch.ExternalServer.BootTimeout",
      "SearchEngine.ExternalServer.Url", "SearchEngine.ExternalServer.UserName",
      "SearchEngine.ExternalServer.Password", "SearchEngine.ExternalServer.BootTimeout", "Data.AppDirectory",
      "Data.FilesDirectory", "Data.Directory", "Boot.MaintenanceMode", "REST.Servlet.Deployment", "Cluster.Name",
      "Cluster.NodeName", "EMail.Server.Host", "EMail.Server.Port", "EMail.Server.MailAddress", "EMail.Server.User",
      "EMail.Server.Password");

  private final Map<String, String> environment;
  private final Path secretDirectory;

  Overrides(Map<String, String> environment, Path secretDirectory) {
    this.environment = environment;
    this.secretDirectory = secretDirectory;
  }

  static Overrides ofProcess() {
    return new Overrides(System.getenv(), Path.of(System.getProperty("standin.secrets", "/run/secrets")));
  }

  Map<String, String> applyTo(Map<String, String> yaml) throws IOException {
    var result = new LinkedHashMap<>(yaml);
    result.putAll(secrets());
    var keyOfVariable = new TreeMap<String, String>();
    KNOWN_KEYS.forEach(key -> keyOfVariable.put(variable(key), key));
    result.keySet().forEach(key -> keyOfVariable.put(variable(key), key));
    environment.forEach((name, value) -> {
      String capitals = name.toUpperCase(Locale.ROOT);
      if (capitals.startsWith(PREFIX)) {
        String key = keyOfVariable.get(capitals);
        result.put(key != null ? key : name.substring(PREFIX.length()).replace('_', '.'), value);
      }
    });
    return result;
  }

  private Map<String, String> secrets() throws IOException {
    var found = new TreeMap<String, String>();
    if (Files.isDirectory(secretDirectory)) {
      try (var files = Files.newDirectoryStream(secretDirectory, "ivy.*")) {
        for (Path file : files) {
          if (Files.isRegularFile(file)) {
            String key = file.getFileName().toString().substring("ivy.".length());
            // Editors end a file with a line break.
            found.put(key, Files.readString(file).replaceFirst("\\R$", ""));
          }
        }
      }
    }
    return found;
  }

  private static String variable(String key) {
    return PREFIX + key.toUpperCase(Locale.ROOT).replace('.', '_').replace(':', '_');
  }
}
