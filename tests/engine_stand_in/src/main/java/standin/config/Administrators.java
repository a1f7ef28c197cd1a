package standin.config;

import java.util.Map;

/** The accounts that may use the Cockpit. */
public final class Administrators {
  private static final String PASSWORD = ".Password";
  private final Map<String, String> entries;

  public Administrators(Settings settings) {
    this.entries = settings.below("Administrators");
  }

  public boolean accepts(String user, String password) {
    return entries.entrySet().stream()
        .filter(entry -> entry.getKey().equalsIgnoreCase(user + PASSWORD))
        .anyMatch(entry -> Cipher.matches(Macros.resolve(entry.getValue()), password));
  }
}
