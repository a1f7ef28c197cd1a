package standin;

import java.io.IOException;
import java.io.StringReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.time.format.DateTimeParseException;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Properties;
import java.util.regex.Pattern;
import standin.config.Settings;

/** A licence. A stand-in licence has the fields of a real one but no signature. */
public final class Licence {
  private static final List<String> ALWAYS_ALLOWED = List.of("localhost", "127.0.0.1", "::1");
  private final Properties fields;

  private Licence(Properties fields) {
    this.fields = fields;
  }

  public static Optional<Licence> find(Home home, Settings settings) throws IOException {
    Optional<String> text = settings.find("Licence");
    if (text.isEmpty()) {
      text = file(home.configuration());
    }
    return text.isPresent() ? Optional.of(of(text.get())) : Optional.empty();
  }

  public static Licence of(String text) throws IOException {
    var fields = new Properties();
    fields.load(new StringReader(text));
    return new Licence(fields);
  }

  private static Optional<String> file(Path directory) throws IOException {
    try (var files = Files.list(directory)) {
      Optional<Path> first = files.filter(file -> file.getFileName().toString().endsWith(".lic")).sorted().findFirst();
      return first.isPresent() ? Optional.of(Files.readString(first.get())) : Optional.empty();
    }
  }

  /** Why the engine must not go into production with this licence. */
  public Optional<String> problem(EngineVersion version) {
    String keyVersion = fields.getProperty("licence.keyversion", "");
    if (!keyVersion.equals(version.licenceKeyVersion())) {
      return Optional.of("the licence is for " + keyVersion + ", this engine needs " + version.licenceKeyVersion());
    }
    String validFrom = fields.getProperty("licence.valid.from", "").trim();
    if (!validFrom.isEmpty() && LocalDate.parse(validFrom).isAfter(LocalDate.now())) {
      return Optional.of("the licence is not valid before " + validFrom);
    }
    try {
      LocalDate validUntil = LocalDate.parse(validUntil());
      return validUntil.isBefore(LocalDate.now()) ? Optional.of("the licence expired on " + validUntil)
          : Optional.empty();
    } catch (DateTimeParseException e) {
      return Optional.of("the licence has no readable licence.valid.until: '" + validUntil() + "'");
    }
  }

  public boolean isForCluster() {
    return type().startsWith("Enterprise");
  }

  public String type() {
    return fields.getProperty("licence.type", "");
  }

  public String validUntil() {
    return fields.getProperty("licence.valid.until", "").trim();
  }

  public int nodes() {
    return Integer.parseInt(fields.getProperty("server.nodes.limit", "1").trim());
  }

  public boolean allowsHost(String host) {
    List<String> allowed = publicUrls();
    return ALWAYS_ALLOWED.contains(host) || allowed.isEmpty() || allowed.stream().anyMatch(url -> matches(url, host));
  }

  public List<String> publicUrls() {
    return Arrays.stream(fields.getProperty("public.urls", "").split(",")).map(String::trim)
        .filter(url -> !url.isEmpty()).toList();
  }

  /** Entries are host names, possibly with scheme and port, and with * for any text. */
  private static boolean matches(String url, String host) {
    String name = url.replaceFirst("^[a-z]+://", "").replaceFirst("[:/].*$", "");
    String expression = Arrays.stream(name.split("\\*", -1)).map(Pattern::quote).reduce((a, b) -> a + ".*" + b).orElse("");
    return Pattern.compile(expression, Pattern.CASE_INSENSITIVE).matcher(host).matches();
  }
}
