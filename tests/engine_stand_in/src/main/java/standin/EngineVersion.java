package standin;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Properties;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Version of the engine that this process imitates, with the differences between version ranges. */
public record EngineVersion(int major, int minor, int patch) {
  private static final Pattern FORM = Pattern.compile("(\\d+)\\.(\\d+)\\.(\\d+)(\\..*)?");

  public static EngineVersion of(String text) {
    Matcher matcher = FORM.matcher(text);
    if (!matcher.matches()) {
      throw new IllegalArgumentException("Not a version of the form 11.3.0: " + text);
    }
    return new EngineVersion(Integer.parseInt(matcher.group(1)), Integer.parseInt(matcher.group(2)),
        Integer.parseInt(matcher.group(3)));
  }

  public static EngineVersion ofArchive(Path engineDirectory) throws IOException {
    var properties = new Properties();
    try (var in = Files.newInputStream(engineDirectory.resolve("system/engine.properties"))) {
      properties.load(in);
    }
    return of(properties.getProperty("version"));
  }

  /** 12.0.9 and later, and 13.2 and later, share their cluster behaviour; 13.1 does not. */
  private boolean hasSharedCluster() {
    return atLeast(12, 0, 9) && !is(13, 1);
  }

  public boolean readsWebServerFile() {
    return !atLeast(12, 0, 0);
  }

  public String searchPrefix() {
    return atLeast(12, 0, 0) ? "SearchEngine" : "Elasticsearch";
  }

  public String searchProduct() {
    return atLeast(12, 0, 0) ? "opensearch" : "elasticsearch";
  }

  public List<String> searchVersions() {
    if (!atLeast(12, 0, 0)) {
      return List.of("7.17");
    }
    return atLeast(13, 1, 0) ? List.of("2.19") : List.of("2.18", "2.19");
  }

  public String filesDirectoryKey() {
    return atLeast(12, 0, 0) ? "Data.Directory" : "Data.FilesDirectory";
  }

  public boolean waitsForSearchAtStart() {
    return !atLeast(11, 1, 0);
  }

  public boolean createsTablesAtStart() {
    return atLeast(11, 1, 0);
  }

  public boolean convertsSchemaAtStart() {
    return !atLeast(12, 0, 0);
  }

  public boolean hasHealthPage() {
    return atLeast(12, 0, 7) && !is(13, 1);
  }

  /** Without a health page: {@code /} leads to the info page. */
  public boolean redirectsHome() {
    return !hasHealthPage();
  }

  public String infoPage() {
    return atLeast(12, 0, 0) ? "/system/engine-cockpit/faces/info.xhtml" : "/system/info.jsp";
  }

  public boolean countsChecksAsSessions() {
    return !atLeast(11, 1, 0);
  }

  public boolean writesBase64() {
    return atLeast(12, 0, 0);
  }

  public boolean readsReadOnlyConfiguration() {
    return atLeast(11, 3, 0);
  }

  public boolean reloadsByRest() {
    return atLeast(12, 0, 8) && !is(13, 1);
  }

  public boolean announcesConfigurationChanges() {
    return hasSharedCluster();
  }

  public boolean watchesNewApplicationDirectories() {
    return hasSharedCluster();
  }

  public boolean sharesApplications() {
    return hasSharedCluster();
  }

  public String sessionCookie() {
    return hasSharedCluster() ? "IVYSESSIONID" : "JSESSIONID";
  }

  public boolean hasSecurityContextPaths() {
    return atLeast(12, 0, 0);
  }

  public int schemaVersion() {
    return major * 100 + minor;
  }

  public String licenceKeyVersion() {
    return "axonivy/" + major * 1000;
  }

  private boolean is(int otherMajor, int otherMinor) {
    return major == otherMajor && minor == otherMinor;
  }

  private boolean atLeast(int otherMajor, int otherMinor, int otherPatch) {
    if (major != otherMajor) {
      return major > otherMajor;
    }
    if (minor != otherMinor) {
      return minor > otherMinor;
    }
    return patch >= otherPatch;
  }

  @Override
  public String toString() {
    return major + "." + minor + "." + patch;
  }
}
